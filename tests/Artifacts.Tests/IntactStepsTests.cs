using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts.Tests;

public sealed class IntactStepsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ArtifactStore _store;

    public IntactStepsTests() => _store = new ArtifactStore(new FileBlobStore(_folder.Path, new FileBlobStoreOptions { IsDurable = false }));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task FindIntactStepAsync_EverythingThere_ReturnsCommit()
    {
        var (key, _) = await CommitAsync();

        (await _store.FindIntactStepAsync(key, default)).ShouldNotBeNull();
        (await _store.FindIntactStepAsync(Digest.Of("never"u8), default)).ShouldBeNull();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task FindIntactStepAsync_BlobGoneOrCutOff_IsNullUntilStoredAgain(bool isGone)
    {
        var (key, root) = await CommitAsync();
        var path = BlobPath((await _store.ReadAsync(root, default)).Tensors[0].Blob);
        File.Delete(path);
        if (!isGone)
            File.WriteAllBytes(path, new byte[10]);

        (await _store.FindIntactStepAsync(key, default)).ShouldBeNull();

        await CommitAsync();
        (await _store.FindIntactStepAsync(key, default)).ShouldNotBeNull();
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"outputs\":")]
    [InlineData("[]")]
    [InlineData("{\"outputs\":{\"model\":null},\"metrics\":{}}")]
    public async Task CommitStepAsync_DamagedRecord_IsSetAsideAndReplaced(string damaged)
    {
        var (key, root) = await CommitAsync();
        var record = $"steps/{key.Hex}";
        await _store.Blobs.WriteRecordAsync(record, System.Text.Encoding.UTF8.GetBytes(damaged), default);

        (await _store.InspectStepAsync(key, default)).Damage.ShouldNotBeNull().ShouldContain(record);
        (await _store.FindStepAsync(key, default)).ShouldBeNull();
        await CommitAsync();

        (await _store.FindIntactStepAsync(key, default))!.Outputs.Values.Single().Root.ShouldBe(root);
        (await _store.Blobs.ReadRecordAsync(Damage.Prefix + record.Replace('/', '-'), default)).ShouldBe(System.Text.Encoding.UTF8.GetBytes(damaged));
    }

    [Fact]
    public async Task CommitStepAsync_IntactRecord_TheFirstWins()
    {
        var (key, root) = await CommitAsync();

        var nothing = new StepCommit { Outputs = new Dictionary<string, ManifestRef>(), Metrics = new Dictionary<string, double>() };
        var second = await _store.CommitStepAsync(key, nothing, default);

        second.Outputs.Values.Single().Root.ShouldBe(root);
    }

    [Fact]
    public async Task FindIntactStepAsync_DamagedManifest_IsNullUntilItIsMadeAgain()
    {
        var (key, root) = await CommitAsync();
        var path = BlobPath(root);
        var bytes = File.ReadAllBytes(path);
        bytes[^3] ^= 1;
        File.Delete(path);
        File.WriteAllBytes(path, bytes);

        (await _store.InspectStepAsync(key, default)).Damage.ShouldNotBeNull().ShouldContain("damaged");
        await CommitAsync();

        (await _store.FindIntactStepAsync(key, default)).ShouldNotBeNull();
        File.ReadAllBytes(_folder[$"damaged/{root.Hex}"]).ShouldBe(bytes);
    }

    [Fact]
    public async Task FindIntactStepAsync_ManifestGone_IsNull()
    {
        var (key, root) = await CommitAsync();
        File.Delete(BlobPath(root));

        (await _store.FindIntactStepAsync(key, default)).ShouldBeNull();
        await Should.ThrowAsync<MissingBlobException>(() => _store.ReadAsync(root, default));
    }

    [Fact]
    public async Task VerifyAsync_DamagedTensor_NamesIt()
    {
        var (_, root) = await CommitAsync();
        await _store.VerifyAsync(root, default);
        var path = BlobPath((await _store.ReadAsync(root, default)).Tensors[0].Blob);
        File.Delete(path);
        File.WriteAllBytes(path, new byte[100_000]);

        (await Should.ThrowAsync<InvalidDataException>(() => _store.VerifyAsync(root, default))).Message.ShouldContain("tensor 't' of " + root.Short);
    }

    [Fact]
    public async Task ReadAsync_DamagedOrNoManifest_IsRefused()
    {
        var text = await _store.Blobs.PutAsync("[1,2]"u8.ToArray(), default);
        var (_, root) = await CommitAsync();
        File.Delete(BlobPath(root));
        File.WriteAllText(BlobPath(root), "{}");

        (await Should.ThrowAsync<InvalidDataException>(() => _store.ReadAsync(text.Digest, default))).Message.ShouldContain("is not a manifest");
        (await Should.ThrowAsync<InvalidDataException>(() => _store.ReadAsync(root, default))).Message.ShouldContain("damaged");
    }

    // A manifest from elsewhere that lies about its tensors is refused before anything is read.
    [Theory]
    [InlineData("F32", 3, 0, 16)]
    [InlineData("F32", 4, -1, 16)]
    [InlineData("X9", 4, 0, 16)]
    [InlineData("F32", long.MaxValue, 0, 16)]
    public async Task CheckpointReader_ManifestContradictsItself_IsRefused(string dtype, long extent, long offset, long size)
    {
        var blob = (await _store.Blobs.PutAsync(new byte[16], default)).Digest;
        var root = await _store.PublishAsync(
            new Manifest { Kind = ArtifactKind.Checkpoint, Tensors = [new("w", dtype, [extent], blob, offset, size)] }, default);

        (await Should.ThrowAsync<InvalidDataException>(() => CheckpointReader.OpenAsync(_store, root, default))).Message.ShouldContain("tensor 'w'");
    }

    [Fact]
    public async Task Export_ManifestWithEscapingPath_WritesNothing()
    {
        var blob = (await _store.Blobs.PutAsync(new byte[16], default)).Digest;
        var root = await _store.PublishAsync(new Manifest { Kind = ArtifactKind.Checkpoint, Files = [new("../escaped.txt", blob, 16)] }, default);

        await Should.ThrowAsync<ArgumentException>(() => HuggingFaceExporter.ExportAsync(_store, root, _folder["exports/out"], null, default));

        Directory.Exists(_folder["exports"]).ShouldBeFalse();
    }

    private async Task<(Digest Key, Digest Root)> CommitAsync()
    {
        using var writer = new CheckpointWriter(_store);
        await writer.AddTensorAsync("t", "U8", [100_000], Enumerable.Repeat((byte)7, 100_000).ToArray(), default);
        await writer.AddFileAsync("config.json", "{}"u8.ToArray(), default);
        var root = await writer.CommitAsync(default);
        var key = Digest.Of("key"u8);
        await _store.CommitStepAsync(
            key, new StepCommit { Outputs = new Dictionary<string, ManifestRef> { ["model"] = root }, Metrics = new Dictionary<string, double>() },
            default);
        return (key, root.Root);
    }

    private string BlobPath(Digest blob) => _folder[$"blobs/{blob.Hex[..2]}/{blob.Hex[2..]}"];
}
