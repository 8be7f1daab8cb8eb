using Azure.Storage.Blobs;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Stages.Worker;
using Espalier.TestKit.Servers;

namespace Espalier.Cli.Tests;

/// <summary>The same scrub over a real blob service: what is damaged there is named, set aside, and mended by doing the step again.</summary>
public sealed class DamagedAzureStoreTests : IClassFixture<AzuriteServer>, IDisposable
{
    private const string Location = "ESPALIER__STORE__LOCATION", Container = "ESPALIER__STORE__CONTAINER";
    private readonly AzuriteServer _server;
    private readonly string _container = AzuriteServer.NewContainerName();
    private readonly CliRun _cli = new();

    public DamagedAzureStoreTests(AzuriteServer server)
    {
        _server = server;
        Environment.SetEnvironmentVariable(Location, server.ConnectionString);
        Environment.SetEnvironmentVariable(Container, _container);
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(Location, null);
        Environment.SetEnvironmentVariable(Container, null);
        _cli.Dispose();
    }

    [Fact]
    public async Task Fsck_FlippedByteOnAzure_NamesItAndTheStep_UntilTheStepIsDoneAgain()
    {
        var (key, root) = await CommitAsync();
        (await _cli.CallAsync("fsck", "--json")).ShouldBe(ExitCodes.Done, _cli.Error);
        (_cli.Json.GetProperty("blobs").GetInt32(), _cli.Json.GetProperty("steps").GetInt32()).ShouldBe((3, 1));
        var blob = (await Store().ReadAsync(root, default)).Tensors[0].Blob;
        await FlipAsync(blob);

        (await _cli.CallAsync("fsck", "--json")).ShouldBe(ExitCodes.Failed, _cli.Error);

        _cli.Json.GetProperty("store").GetString()!.ShouldEndWith(_container);
        var fault = _cli.Json.GetProperty("faults").EnumerateArray().ShouldHaveSingleItem();
        (fault.GetProperty("blob").GetString(), fault.GetProperty("is-missing").GetBoolean()).ShouldBe((blob.Hex, false));
        var use = fault.GetProperty("uses").EnumerateArray().ShouldHaveSingleItem();
        (use.GetProperty("artifact").GetString(), use.GetProperty("content").GetString()).ShouldBe((root.Hex, "tensor 't'"));
        var step = _cli.Json.GetProperty("recompute").EnumerateArray().ShouldHaveSingleItem();
        (step.GetProperty("key").GetString(), step.GetProperty("step").GetString(), step.GetProperty("stage").GetString()).ShouldBe((key.Hex, "base", "train"));
        (await Client($"damaged/{blob.Hex}").ExistsAsync()).Value.ShouldBeTrue();
        (await _cli.CallAsync("fsck")).ShouldBe(ExitCodes.Failed);
        foreach (var part in new[] { blob.Hex, $"tensor 't' of {root.Short}", "step 'base' (train)" })
            _cli.Output.ShouldContain(part);

        await CommitAsync();

        (await _cli.CallAsync("fsck")).ShouldBe(ExitCodes.Done, _cli.Output + _cli.Error);
        _cli.Output.ShouldContain("clean");
    }

    [Fact]
    public async Task Fsck_ContainerThatHoldsNothing_IsBadInput()
    {
        (await _cli.CallAsync("fsck")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("holds nothing");
        _cli.Error.ShouldContain("store:container");
    }

    [Fact]
    public async Task Fsck_StoreRefuses_SaysWhyWithoutTheKey()
    {
        var wrong = Convert.ToBase64String(new byte[64]);
        var parts = _server.ConnectionString.Split(';').Select(p => p.StartsWith("AccountKey=", StringComparison.Ordinal) ? $"AccountKey={wrong}" : p);
        Environment.SetEnvironmentVariable(Location, string.Join(';', parts));

        (await _cli.CallAsync("fsck", "--json")).ShouldBe(ExitCodes.Failed);

        _cli.Json.GetProperty("error").GetString().ShouldBe("failed");
        _cli.Json.GetProperty("message").GetString()!.ShouldContain("The artifact store refuses access (403");
        _cli.Error.ShouldNotContain(wrong);
    }

    private ArtifactStore Store() => new(AzureBlobStore.Open(_server.ConnectionString, _container));

    private async Task<(Digest Key, Digest Root)> CommitAsync()
    {
        var store = Store();
        using var writer = new CheckpointWriter(store);
        await writer.AddTensorAsync("t", "U8", [100_000], Enumerable.Repeat((byte)7, 100_000).ToArray(), default);
        await writer.AddFileAsync("config.json", "{}"u8.ToArray(), default);
        var made = await writer.CommitAsync(default);
        var key = Digest.Of("base"u8);
        var outputs = new Dictionary<string, ManifestRef> { ["model"] = made };
        await store.CommitStepAsync(key, new StepCommit { Outputs = outputs, Metrics = new Dictionary<string, double>() }, default);
        await new StepReceipt
        {
            RunId = Guid.NewGuid(), Step = "base", Kind = "train", Attempt = 1, Worker = "w", Host = "h", Started = DateTimeOffset.UnixEpoch,
            Duration = TimeSpan.FromSeconds(1), PeakMemoryBytes = 0, Metrics = new Dictionary<string, double>(),
        }.WriteAsync(store, key, default);
        return (key, made.Root);
    }

    private async Task FlipAsync(Digest blob)
    {
        var client = Client($"blobs/{blob.Hex[..2]}/{blob.Hex[2..]}");
        var bytes = (await client.DownloadContentAsync()).Value.Content.ToArray();
        bytes[bytes.Length / 2] ^= 1;
        await client.UploadAsync(BinaryData.FromBytes(bytes), overwrite: true);
    }

    private BlobClient Client(string name) => new BlobContainerClient(_server.ConnectionString, _container).GetBlobClient(name);
}
