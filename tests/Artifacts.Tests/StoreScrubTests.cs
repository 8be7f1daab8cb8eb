using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts.Tests;

public sealed class StoreScrubTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ArtifactStore _store;

    public StoreScrubTests() => _store = Open();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task RunAsync_NothingWrong_IsClean()
    {
        var (_, root) = await CommitAsync("a", 1);
        await CommitAsync("b", 2, parent: root);

        var report = await ScrubAsync();

        report.Ok.ShouldBeTrue();
        (report.Blobs, report.Manifests, report.Steps).ShouldBe((5, 2, 2)); // the configuration is shared
    }

    [Fact]
    public async Task RunAsync_FlippedBit_NamesBlobArtifactStepAndDescendants()
    {
        var (key, root) = await CommitAsync("a", 1);
        var (other, child) = await CommitAsync("b", 2, parent: root);
        var blob = (await _store.ReadAsync(root, default)).Tensors[0].Blob;
        Damage(blob);

        var report = await ScrubAsync();

        var fault = report.Faults.ShouldHaveSingleItem();
        (fault.Blob, fault.IsMissing, fault.UseCount).ShouldBe((blob, false, 1));
        fault.Uses.ShouldBe([new BlobUse(root, "tensor 't'")]);
        report.Recompute.ShouldBe([key]);
        (report.Faulty.Single(), report.Descendants.Single()).ShouldBe((root, child));
        File.Exists(_folder[$"damaged/{blob.Hex}"]).ShouldBeTrue();
        (await Open().FindIntactStepAsync(key, default)).ShouldBeNull(); // so it is computed again
        (await Open().FindIntactStepAsync(other, default)).ShouldNotBeNull();
    }

    [Fact]
    public async Task RunAsync_AfterTheStepWasDoneAgain_IsCleanAgain()
    {
        var (_, root) = await CommitAsync("a", 1);
        Damage((await _store.ReadAsync(root, default)).Tensors[0].Blob);
        (await ScrubAsync()).Ok.ShouldBeFalse();
        (await ScrubAsync()).Ok.ShouldBeFalse(); // still missing

        await CommitAsync("a", 1);

        (await ScrubAsync()).Ok.ShouldBeTrue();
    }

    [Fact]
    public async Task RunAsync_DamagedManifest_IsOneFaultWithItsStep()
    {
        var (key, root) = await CommitAsync("a", 1);
        Damage(root);

        var report = await ScrubAsync();

        report.Faults.ShouldHaveSingleItem().Uses.ShouldBe([new BlobUse(root, "manifest")]);
        report.Recompute.ShouldBe([key]);
    }

    [Fact]
    public async Task RunAsync_MissingBlobOfAVersion_IsFoundWithoutAStep()
    {
        var root = await PublishAsync(1, null);
        File.Delete(BlobPath((await _store.ReadAsync(root, default)).Tensors[0].Blob));

        (await ScrubAsync()).Ok.ShouldBeTrue(); // nothing needs it
        var report = await ScrubAsync(root);

        report.Faults.ShouldHaveSingleItem().IsMissing.ShouldBeTrue();
        report.Recompute.ShouldBeEmpty();
        report.Faulty.ShouldBe([root]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"outputs\":{\"model\":")]
    [InlineData("null")]
    [InlineData("{\"outputs\":null,\"metrics\":{}}")]
    public async Task StepRecord_ThatCannotBeRead_IsAMissAndKeptAside(string content)
    {
        var (key, _) = await CommitAsync("a", 1);
        var path = _folder[$"records/steps/{key.Hex}"];
        File.WriteAllText(path, content);

        (await Open().FindIntactStepAsync(key, default)).ShouldBeNull();
        var report = await ScrubAsync();

        report.Records.ShouldBe([new RecordFault($"steps/{key.Hex}", $"damaged/steps-{key.Hex}", key)]);
        File.ReadAllText(_folder[$"records/damaged/steps-{key.Hex}"]).ShouldBe(content);
        await CommitAsync("a", 1);
        (await Open().FindIntactStepAsync(key, default)).ShouldNotBeNull();
    }

    [Fact]
    public async Task CommitStepAsync_OverARecordThatCannotBeRead_Replaces()
    {
        var (key, root) = await CommitAsync("a", 1);
        File.WriteAllText(_folder[$"records/steps/{key.Hex}"], "{");

        await CommitAsync("a", 1);

        (await Open().FindStepAsync(key, default))!.Outputs["model"].Root.ShouldBe(root);
        File.ReadAllText(_folder[$"records/damaged/steps-{key.Hex}"]).ShouldBe("{");
    }

    [Fact]
    public async Task VerifyWithAncestorsAsync_FlippedBitInTheGrandparent_NamesIt()
    {
        var oldest = await PublishAsync(1, null);
        var parent = await PublishAsync(2, oldest);
        var child = await PublishAsync(3, parent);
        var blob = (await _store.ReadAsync(oldest, default)).Tensors[0].Blob;
        Damage(blob);

        var found = await Open().VerifyWithAncestorsAsync(child, null, default);

        found.Select(f => (f.Root, f.Generation, f.Ok)).ShouldBe([(child, 0, true), (parent, 1, true), (oldest, 2, false)]);
        found[2].Problem!.ShouldContain(blob.Hex);
        found[2].Problem!.ShouldContain("tensor 't' of " + oldest.Short);
        found[2].Relation.ShouldBe("trained");
    }

    [Fact]
    public async Task ReadTensor_FlippedBit_NamesBlobArtifactAndRemedy()
    {
        var root = await PublishAsync(1, null);
        var blob = (await _store.ReadAsync(root, default)).Tensors[0].Blob;
        Damage(blob);
        var reader = await CheckpointReader.OpenAsync(Open(), root, default);

        var message = Should.Throw<DamagedBlobException>(() => reader.ReadRange("t", 0, new byte[4])).Message;

        foreach (var part in new[] { blob.Hex, root.Hex, "tensor 't'", "run its pipeline again" })
            message.ShouldContain(part);
    }

    private ArtifactStore Open() => new(new FileBlobStore(_folder.Path, new FileBlobStoreOptions { IsDurable = false }));

    private Task<ScrubReport> ScrubAsync(params Digest[] roots) => new StoreScrub(Open()).RunAsync(roots, null, default);

    private async Task<(Digest Key, Digest Root)> CommitAsync(string step, byte value, Digest? parent = null)
    {
        var root = await PublishAsync(value, parent);
        var key = Digest.Of(System.Text.Encoding.ASCII.GetBytes(step));
        await _store.CommitStepAsync(
            key,
            new StepCommit
            {
                Outputs = new Dictionary<string, ManifestRef> { ["model"] = new(ArtifactKind.Checkpoint, root, 1) },
                Metrics = new Dictionary<string, double>(),
            }, default);
        return (key, root);
    }

    private async Task<Digest> PublishAsync(byte value, Digest? parent)
    {
        using var writer = new CheckpointWriter(_store);
        await writer.AddTensorAsync("t", "U8", [100_000], Enumerable.Repeat(value, 100_000).ToArray(), default);
        await writer.AddFileAsync("config.json", "{}"u8.ToArray(), default);
        if (parent is { } made)
            writer.AddParent(new Parent(made, "trained", null));
        return (await writer.CommitAsync(default)).Root;
    }

    private void Damage(Digest blob)
    {
        var bytes = File.ReadAllBytes(BlobPath(blob));
        bytes[^1] ^= 8;
        File.Delete(BlobPath(blob));
        File.WriteAllBytes(BlobPath(blob), bytes);
    }

    private string BlobPath(Digest blob) => _folder[$"blobs/{blob.Hex[..2]}/{blob.Hex[2..]}"];
}
