using Azure.Storage.Blobs;
using Azure.Storage.Sas;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Tests.Checkpoints;
using Espalier.Contracts;
using Espalier.TestKit.Servers;

namespace Espalier.Artifacts.Tests.Blobs;

[CollectionDefinition(Name)]
public sealed class AzuriteCollection : ICollectionFixture<AzuriteServer>
{
    public const string Name = "azurite";
}

[Collection(AzuriteCollection.Name)]
public sealed class AzureBlobStoreTests : BlobStoreContract
{
    private readonly AzuriteServer _server;
    private readonly string _container = AzuriteServer.NewContainerName();

    public AzureBlobStoreTests(AzuriteServer server)
    {
        _server = server;
        Store = AzureBlobStore.Open(server.ConnectionString, _container);
    }

    protected override IBlobStore Store { get; }

    [Fact]
    public async Task Open_BySasUrl_ReadsAndWrites()
    {
        var sas = new BlobContainerClient(_server.ConnectionString, _container).GenerateSasUri(
            BlobContainerSasPermissions.All, DateTimeOffset.UtcNow.AddHours(1));
        var bySas = AzureBlobStore.Open(sas.ToString(), "unused");

        var receipt = await bySas.PutAsync(Bytes(1, 10), default);

        (await Store.ExistsAsync(receipt.Digest, default)).ShouldBeTrue();
        bySas.Location.ToString().ShouldEndWith(_container);
        Should.Throw<MissingBlobException>(() => bySas.ReadExactly(Digest.Of("none"u8), 0, new byte[1])).Message.ShouldNotContain("sig=");
    }

    [Fact]
    public async Task Open_ByLocationFile_UsesTheSignatureThatItHoldsNow()
    {
        using var folder = new TemporaryFolder();
        var time = new HandClock();
        File.WriteAllText(folder["location"], SignedUrl(TimeSpan.FromHours(1)) + "\n");
        var store = AzureBlobStore.Open(new LocationFile(folder["location"], time), "unused");
        var receipt = await store.PutAsync(Bytes(1, 10), default);

        File.WriteAllText(folder["location"], SignedUrl(TimeSpan.FromHours(-1)));
        time.Advance(TimeSpan.FromSeconds(2));
        var refused = await Should.ThrowAsync<Azure.RequestFailedException>(() => store.FindLengthAsync(receipt.Digest, default));
        File.WriteAllText(folder["location"], SignedUrl(TimeSpan.FromHours(2)));
        time.Advance(TimeSpan.FromSeconds(2));

        refused.Status.ShouldBe(403);
        StoreFailure.Describe(refused).ShouldContain("store:location-file");
        (await store.FindLengthAsync(receipt.Digest, default)).ShouldBe(10);
    }

    [Fact]
    public async Task Open_ByLocationFile_UsesTheKeyThatItHoldsNow()
    {
        using var folder = new TemporaryFolder();
        var time = new HandClock();
        File.WriteAllText(folder["location"], _server.ConnectionString);
        var store = AzureBlobStore.Open(new LocationFile(folder["location"], time), _container);
        var receipt = await store.PutAsync(Bytes(1, 10), default);

        File.WriteAllText(folder["location"], _server.ConnectionString.Replace("AccountKey=Eby", "AccountKey=Abc", StringComparison.Ordinal));
        time.Advance(TimeSpan.FromSeconds(2));
        (await Should.ThrowAsync<Azure.RequestFailedException>(() => store.FindLengthAsync(receipt.Digest, default))).Status.ShouldBe(403);
        File.WriteAllText(folder["location"], _server.ConnectionString);
        time.Advance(TimeSpan.FromSeconds(2));

        (await store.FindLengthAsync(receipt.Digest, default)).ShouldBe(10);
    }

    private string SignedUrl(TimeSpan validity) => new BlobContainerClient(_server.ConnectionString, _container)
        .GenerateSasUri(BlobContainerSasPermissions.All, DateTimeOffset.UtcNow + validity).ToString();

    [Fact]
    public async Task PutAsync_ContentChangesBetweenHashAndUpload_StoresNothing()
    {
        var stream = new ChangingStream(new byte[10_000_000]);

        (await Should.ThrowAsync<IOException>(() => Store.PutAsync(stream, default))).Message.ShouldContain("changed while it was being stored");

        (await Store.ListAsync(default).ToListAsync()).ShouldBeEmpty();
    }

    // The same files give the same root on every backend.
    [Fact]
    public async Task Import_OnAzureAndOnFiles_GivesSameRootAndExportsSameBytes()
    {
        using var folder = new TemporaryFolder();
        var tensors = ModelDirectories.Tensors(8).Add("model.embed_tokens.weight", "F32", [1000, 100], ModelDirectories.Floats(3, 100_000));
        var source = await ModelDirectories.WriteShardedAsync(folder["in"], tensors, 3);
        var azure = new ArtifactStore(Store);

        var onAzure = await HuggingFaceImporter.ImportAsync(azure, source, default);
        var onFiles = await HuggingFaceImporter.ImportAsync(new ArtifactStore(new FileBlobStore(folder["store"])), source, default);
        await HuggingFaceExporter.ExportAsync(azure, onAzure, folder["out"], null, default);

        onAzure.ShouldBe(onFiles);
        using var exported = HuggingFaceDirectory.Open(folder["out"]);
        foreach (var name in tensors.Names)
            exported.ReadAll(name).ShouldBe(tensors.ReadAll(name));
    }

    private sealed class ChangingStream(byte[] bytes) : MemoryStream(bytes)
    {
        private readonly byte[] _bytes = bytes;

        public override long Position
        {
            get => base.Position;
            set
            {
                base.Position = value;
                _bytes[^1]++; // somebody writes to the file once it was hashed
            }
        }
    }
}

[Collection(AzuriteCollection.Name)]
public sealed class CachingBlobStoreContractTests : BlobStoreContract, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public CachingBlobStoreContractTests(AzuriteServer server) =>
        Store = new CachingBlobStore(AzureBlobStore.Open(server.ConnectionString, AzuriteServer.NewContainerName()), _folder.Path, 10_000_000);

    protected override IBlobStore Store { get; }

    public void Dispose() => _folder.Dispose();
}

file sealed class HandClock : TimeProvider
{
    private TimeSpan _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _now.Ticks;

    public void Advance(TimeSpan time) => _now += time;
}
