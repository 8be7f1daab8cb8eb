using System.Text;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Manifests;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Registry.Storage;
using Espalier.Registry.Tests.Support;
using Espalier.Stages;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Storage;

/// <summary>What is needed stays, whatever else happens at the same time; what is not goes, in two phases.</summary>
public sealed class GarbageCollectorTests : IAsyncLifetime
{
    private static readonly CollectionOptions AtOnce = new() { Grace = TimeSpan.FromMinutes(10), Quarantine = TimeSpan.Zero };
    private RegistryServer _server = null!;

    public async Task InitializeAsync() => _server = await RegistryServer.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Collect_TwoPhases_CondemnsThenDeletes()
    {
        var garbage = await GarbageAsync("left behind");
        await RegisterAsync("kept", 1);

        var dry = await CollectAsync(AtOnce with { DryRun = true });
        var first = await CollectAsync(AtOnce with { Quarantine = TimeSpan.FromHours(1) });
        var early = await CollectAsync(AtOnce with { Quarantine = TimeSpan.FromHours(1) });
        var late = await CollectAsync(AtOnce);

        (dry.DeletedBlobs, await ExistsAsync(garbage)).ShouldBe((1, false), "the dry run only spoke; the last call deleted");
        (first.CondemnedBlobs, first.DeletedBlobs).ShouldBe((1, 0));
        early.DeletedBlobs.ShouldBe(0);
        (late.DeletedBlobs, late.DeletedBytes).ShouldBe((1, "left behind".Length));
        late.RegisteredBytes.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task Collect_YoungBlob_IsLeftAlone()
    {
        var blob = await _server.Store.Blobs.PutAsync("just uploaded"u8.ToArray(), default);

        var report = await CollectAsync(AtOnce);

        report.YoungBlobs.ShouldBe(1);
        (await ExistsAsync(blob.Digest)).ShouldBeTrue();
    }

    [Fact]
    public async Task Collect_CondemnedBlobPutAgain_IsSaved()
    {
        var blob = await GarbageAsync("wanted after all");
        await CollectAsync(AtOnce with { Quarantine = TimeSpan.FromHours(1) });

        (await _server.Store.Blobs.PutAsync("wanted after all"u8.ToArray(), default)).IsNew.ShouldBeFalse();
        await CollectAsync(AtOnce);

        (await ExistsAsync(blob)).ShouldBeTrue();
    }

    [Fact]
    public async Task Collect_AncestorsResultsAndPositions_AreKept()
    {
        var parent = await TinyCheckpoints.CreateAsync(_server.Store);
        var child = await TinyCheckpoints.CreateAsync(_server.Store, new() { Seed = 2, Parents = [new Parent(parent.Root, "trained", null)] });
        await _server.RegisterAsync("child", child);
        var cached = await TinyCheckpoints.CreateAsync(_server.Store, new() { Seed = 3 });
        var outputs = new Dictionary<string, ManifestRef> { ["model"] = cached };
        var commit = new StepCommit { Outputs = outputs, Metrics = new Dictionary<string, double>() };
        await _server.Store.CommitStepAsync(Digest.Of("step"u8), commit, default);
        var half = await GarbageAsync("half of a training state");
        var position = Encoding.UTF8.GetBytes($$"""{"state":"{{half.Hex}}"}""");
        await _server.Store.Blobs.WriteRecordAsync("cursors/" + Digest.Of("other"u8).Hex, position, default);
        var share = await GarbageAsync("what a member of a team made in a round");
        await new StepRounds(_server.Store, Digest.Of("shared"u8)).PublishAsync(1, 2, new ManifestRef(ArtifactKind.TrainerState, share, 1), default);
        Age();

        var report = await CollectAsync(AtOnce);

        report.DeletedBlobs.ShouldBe(0);
        (report.CacheBytes > 0, report.PositionBytes > 0).ShouldBe((true, true));
        await _server.Store.VerifyAsync(parent.Root, default);
        await _server.Store.VerifyAsync(cached.Root, default);
    }

    [Fact]
    public async Task Collect_DamagedManifestOfAVersion_OnlyCondemnsUntilItIsWholeAgain()
    {
        var checkpoint = await TinyCheckpoints.CreateAsync(_server.Store, new() { Seed = 4 });
        await _server.RegisterAsync("damaged", checkpoint);
        var tensor = (await _server.Store.ReadAsync(checkpoint.Root, default)).Tensors[0].Blob;
        var garbage = await GarbageAsync("left behind");
        var folder = ((FileBlobStore)_server.Store.Blobs).Root;
        var path = Path.Combine(folder, "blobs", checkpoint.Root.Hex[..2], checkpoint.Root.Hex[2..]);
        var whole = await File.ReadAllBytesAsync(path);
        File.Delete(path);
        await File.WriteAllBytesAsync(path, [.. whole[..^1], (byte)'!']);
        await _server.Store.Blobs.WriteRecordAsync("gc/condemned", "{"u8.ToArray(), default);
        Age();
        var store = new ArtifactStore(new FileBlobStore(folder, new FileBlobStoreOptions { IsDurable = false })); // as another process opens it
        var collector = new GarbageCollector(_server.Get<RegistryDatabase>(), store, TimeProvider.System);

        var first = await collector.CollectAsync(AtOnce, default);
        var second = await collector.CollectAsync(AtOnce, default);
        await store.Blobs.PutAsync(whole, default);
        var mended = await collector.CollectAsync(AtOnce, default);

        foreach (var report in new[] { first, second })
        {
            report.Unreadable.ShouldBe([checkpoint.Root]);
            report.DeletedBlobs.ShouldBe(0);
        }
        second.CondemnedBlobs.ShouldBeGreaterThan(0);
        mended.Unreadable.ShouldBeEmpty();
        (await ExistsAsync(garbage)).ShouldBeFalse();
        (await ExistsAsync(tensor)).ShouldBeTrue();
    }

    [Fact]
    public async Task Collect_DeletedVersion_FreesWhatTheStorageViewSaid()
    {
        await RegisterAsync("kept", 1);
        await RegisterAsync("gone", 2);
        using var admin = _server.Client();
        var models = (await admin.GetJsonAsync("/api/v1/storage")).GetProperty("models").EnumerateArray();
        var said = models.Single(m => m.GetProperty("name").GetString() == "gone").GetProperty("frees").GetInt64();

        (await admin.SendJsonAsync(HttpMethod.Delete, "/api/v1/models/gone/versions/1")).Status.ShouldBe(System.Net.HttpStatusCode.NoContent);
        Age();
        var report = await CollectAsync(AtOnce);

        report.DeletedBytes.ShouldBe(said);
        await _server.Store.VerifyAsync((await _server.Registry.ResolveAsync("kept", default)).Root, default);
    }

    /// <summary>
    /// Uploads run while collections do; half of what they put is old garbage that is being deleted at that very moment. At the
    /// end every registered version is whole, and garbage that nobody wanted is gone.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Collect_WhileUploadsRun_NeverTakesWhatIsNeeded(int seed)
    {
        var random = new Random(seed);
        var pool = Enumerable.Range(0, 40)
            .Select(i => Encoding.UTF8.GetBytes($"tensor {seed}/{i} {new string('x', random.Next(1, 2000))}"))
            .ToArray();
        foreach (var bytes in pool)
            await _server.Store.Blobs.PutAsync(bytes, default);
        Age();
        var choices = Enumerable.Range(0, 24) // 30 to 39 stay garbage
            .Select(_ => Enumerable.Range(0, 6).Select(_ => random.Next(30)).Distinct().ToArray())
            .ToArray();
        using var stop = new CancellationTokenSource();
        var collecting = Task.Run(async () =>
        {
            var collections = 0;
            for (; !stop.IsCancellationRequested || collections == 0; collections++)
                await CollectAsync(AtOnce);
            return collections;
        });

        await Parallel.ForEachAsync(choices.Index(), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (upload, token) =>
            await UploadAsync(upload.Index, [.. upload.Item.Select(i => pool[i])], token));
        await stop.CancelAsync();
        (await collecting).ShouldBeGreaterThan(0);
        Age();
        await CollectAsync(AtOnce);

        var versions = await _server.Registry.ListAsync("raced", 100, default);
        versions.Count.ShouldBe(choices.Select(c => string.Join(',', c.Order())).Distinct().Count());
        foreach (var version in versions)
            await _server.Store.VerifyAsync(version.Root, default);
        for (var i = 30; i < 40; i++)
            (await _server.Store.Blobs.ExistsAsync(Digest.Of(pool[i]), default)).ShouldBeFalse();
    }

    private async Task UploadAsync(int number, byte[][] contents, CancellationToken cancellationToken)
    {
        var files = new List<FileEntry>();
        foreach (var bytes in contents)
        {
            var receipt = number % 2 == 0
                ? await _server.Store.Blobs.PutAsync(bytes, cancellationToken)
                : await _server.Store.Blobs.PutAsync(new MemoryStream(bytes), cancellationToken);
            files.Add(new FileEntry($"{receipt.Digest.Hex}.bin", receipt.Digest, receipt.SizeBytes));
        }
        var manifest = new Manifest { Kind = ArtifactKind.Checkpoint, Files = [.. files.OrderBy(f => f.Path, StringComparer.Ordinal)] };
        var root = await _server.Store.PublishAsync(manifest, cancellationToken);
        await _server.Registry.RegisterAsync(new NewVersion { Model = "raced", Checkpoint = root, StepKey = root.Root }, cancellationToken);
    }

    private Task<CollectionReport> CollectAsync(CollectionOptions options) => _server.Get<GarbageCollector>().CollectAsync(options, default);

    private async Task RegisterAsync(string name, int seed)
    {
        var checkpoint = await TinyCheckpoints.CreateAsync(_server.Store, new() { Seed = seed });
        await _server.RegisterAsync(name, checkpoint);
    }

    private async Task<Digest> GarbageAsync(string text)
    {
        var blob = await _server.Store.Blobs.PutAsync(System.Text.Encoding.UTF8.GetBytes(text), default);
        Age();
        return blob.Digest;
    }

    private async Task<bool> ExistsAsync(Digest blob) => await _server.Store.Blobs.ExistsAsync(blob, default);

    /// <summary>Makes everything that is stored an hour old.</summary>
    private void Age()
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(((FileBlobStore)_server.Store.Blobs).Root, "blobs"), "*", SearchOption.AllDirectories))
            File.SetLastWriteTimeUtc(file, TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(-1));
    }
}
