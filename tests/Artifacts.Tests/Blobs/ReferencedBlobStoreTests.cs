using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Tests.Checkpoints;
using Espalier.Contracts;

namespace Espalier.Artifacts.Tests.Blobs;

public sealed class ReferencedBlobStoreTests : IDisposable
{
    private const int LargeFloats = 40_000;
    private readonly TemporaryFolder _folder = new();
    private readonly FileBlobStore _inner;
    private readonly ReferencedBlobStore _references;

    public ReferencedBlobStoreTests()
    {
        _inner = new FileBlobStore(_folder["store"], new FileBlobStoreOptions { IsDurable = false });
        _references = new ReferencedBlobStore(_inner);
    }

    public void Dispose()
    {
        _references.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task ReferenceAsync_LargeTensors_StayWhereTheyAre()
    {
        var path = await WriteAsync();
        var imported = await HuggingFaceImporter.ImportAsync(new ArtifactStore(new FileBlobStore(_folder["other"])), path, default);

        var referenced = await HuggingFaceImporter.ReferenceAsync(_references, path, new ImportOptions(), default);

        referenced.ShouldBe(imported, "how the bytes are kept is not part of what they are");
        _references.ReferencedBytes.ShouldBe(2 * 4 * LargeFloats);
        (await StoredBytesAsync()).ShouldBeLessThan(10_000);
        var reader = await CheckpointReader.OpenAsync(new ArtifactStore(_references), referenced, default);
        reader.ReadAll("b").ShouldBe(ModelDirectories.Floats(2, LargeFloats));
        reader.ReadAll("model.layers.0.weight").ShouldBe(ModelDirectories.Floats(0, 2));
    }

    [Fact]
    public async Task OpenReadAsync_RangeOfReference_IsThatRange()
    {
        await HuggingFaceImporter.ReferenceAsync(_references, await WriteAsync(), new ImportOptions(), default);
        var bytes = ModelDirectories.Floats(2, LargeFloats);

        var read = new MemoryStream();
        await using (var stream = await _references.OpenReadAsync(Digest.Of(bytes), 101, 1003, default))
            await stream.CopyToAsync(read);

        read.ToArray().ShouldBe(bytes.AsSpan(101, 1003).ToArray());
        await Should.ThrowAsync<EndOfStreamException>(() => _references.OpenReadAsync(Digest.Of(bytes), 0, bytes.Length + 1, default));
    }

    [Fact]
    public async Task ReferenceAsync_NotFinite_NamesTheTensor()
    {
        var bytes = ModelDirectories.Floats(1, LargeFloats);
        BitConverter.GetBytes(float.NaN).CopyTo(bytes, 4 * 123);
        var path = await ModelDirectories.WriteSingleAsync(_folder["in"], new InMemoryTensors().Add("a", "F32", [LargeFloats], bytes));

        var error = await Should.ThrowAsync<UserInputException>(() => HuggingFaceImporter.ReferenceAsync(_references, path, new ImportOptions(), default));

        error.Message.ShouldContain("tensor 'a'");
        error.Message.ShouldContain("element 123");
    }

    [Fact]
    public async Task CheckUnchanged_FileWrittenMeanwhile_IsRefused()
    {
        var path = await WriteAsync();
        await HuggingFaceImporter.ReferenceAsync(_references, path, new ImportOptions(), default);
        _references.CheckUnchanged();

        File.SetLastWriteTimeUtc(Path.Combine(path, "model.safetensors"), DateTime.UnixEpoch);

        Should.Throw<UserInputException>(_references.CheckUnchanged).Message.ShouldContain("model.safetensors");
    }

    private Task<string> WriteAsync() => ModelDirectories.WriteSingleAsync(
        _folder["in"],
        ModelDirectories.Tensors(2)
            .Add("a", "F32", [LargeFloats], ModelDirectories.Floats(1, LargeFloats))
            .Add("b", "F32", [LargeFloats], ModelDirectories.Floats(2, LargeFloats)));

    private async Task<long> StoredBytesAsync()
    {
        long bytes = 0;
        await foreach (var blob in _inner.ListAsync(default))
            bytes += blob.SizeBytes;
        return bytes;
    }
}
