using Espalier.Artifacts.Blobs;
using Espalier.Cli.Stores;

namespace Espalier.Cli.Tests.Stores;

public sealed class StoreViewsTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier-stores-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Recomputing_OldResults_AreHiddenUntilMadeAgain()
    {
        var files = Open("a");
        await files.CreateRecordAsync("steps/x", "old"u8.ToArray(), None);
        await files.CreateRecordAsync("receipts/x", "kept"u8.ToArray(), None);
        var view = new RecomputingBlobStore(files);

        (await view.ReadRecordAsync("steps/x", None)).ShouldBeNull();
        (await view.ReadRecordAsync("receipts/x", None)).ShouldNotBeNull();
        (await view.CreateRecordAsync("steps/x", "new"u8.ToArray(), None)).ShouldBeTrue();
        (await view.CreateRecordAsync("steps/x", "late"u8.ToArray(), None)).ShouldBeFalse();

        (await view.ReadRecordAsync("steps/x", None)).ShouldBe("new"u8.ToArray());
        (await files.ReadRecordAsync("steps/x", None)).ShouldBe("new"u8.ToArray());
    }

    [Fact]
    public async Task Layered_Reads_FallThroughAndWritesDoNot()
    {
        var (front, back) = (Open("front"), Open("back"));
        var old = await back.PutAsync("old bytes"u8.ToArray(), None);
        var view = new LayeredBlobStore(front, back);

        var made = await view.PutAsync("new bytes"u8.ToArray(), None);

        var read = new byte[3];
        view.ReadExactly(old.Digest, 4, read);
        read.ShouldBe("byt"u8.ToArray());
        (await view.FindLengthAsync(old.Digest, None)).ShouldBe(9);
        (await view.ExistsAsync(made.Digest, None)).ShouldBeTrue();
        (await back.ExistsAsync(made.Digest, None)).ShouldBeFalse();
        (await front.ExistsAsync(old.Digest, None)).ShouldBeFalse();
    }

    private FileBlobStore Open(string name) => new(Path.Combine(_folder, name), new FileBlobStoreOptions { IsDurable = false });
}
