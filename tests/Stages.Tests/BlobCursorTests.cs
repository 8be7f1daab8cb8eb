using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Stages.Worker;

namespace Espalier.Stages.Tests;

public sealed class BlobCursorTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cursor-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Save_ThenLoadByAnother_GivesTheLastPosition()
    {
        var blobs = new FileBlobStore(_folder.FullName);
        var key = Digest.Of("step"u8);

        await new BlobCursor(blobs, key).SaveAsync("one"u8.ToArray(), default);
        await new BlobCursor(blobs, key).SaveAsync("two"u8.ToArray(), default);

        (await new BlobCursor(blobs, key).LoadAsync(default)).ShouldBe("two"u8.ToArray());
        (await new BlobCursor(blobs, Digest.Of("other"u8)).LoadAsync(default)).ShouldBeNull();
    }

    [Fact]
    public async Task Save_LeaseIsOver_IsRefusedAndKeepsTheOtherAttemptsPosition()
    {
        var blobs = new FileBlobStore(_folder.FullName);
        var key = Digest.Of("step"u8);
        await new BlobCursor(blobs, key).SaveAsync("of the new attempt"u8.ToArray(), default);

        await Should.ThrowAsync<OperationCanceledException>(() => new BlobCursor(blobs, key, () => false).SaveAsync("stale"u8.ToArray(), default));

        (await new BlobCursor(blobs, key).LoadAsync(default)).ShouldBe("of the new attempt"u8.ToArray());
    }
}
