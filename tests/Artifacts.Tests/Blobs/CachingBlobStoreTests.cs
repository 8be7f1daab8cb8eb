using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Artifacts.Tests.Blobs;

public sealed class CachingBlobStoreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FileBlobStore _remote;
    private readonly SteppingTime _time = new();

    public CachingBlobStoreTests() => _remote = new FileBlobStore(_folder["remote"], new FileBlobStoreOptions { IsDurable = false });

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ReadExactly_SecondTime_DoesNotNeedRemote()
    {
        var blob = (await _remote.PutAsync(Bytes(1), default)).Digest;
        var cache = Cache(1000);
        cache.ReadExactly(blob, 10, new byte[5]);
        File.Delete(RemotePath(blob));

        var read = new byte[100];
        cache.ReadExactly(blob, 0, read);

        read.ShouldBe(Bytes(1));
        cache.CachedBytes.ShouldBe(100);
    }

    [Fact]
    public async Task Blobs_FolderOfCopiesCannotBeWritten_GoThroughToTheStore()
    {
        var cache = Cache(1000);
        Directory.Delete(_folder[Path.Combine("cache", "tmp")]);
        File.WriteAllText(_folder[Path.Combine("cache", "tmp")], "in the way");

        var blob = (await cache.PutAsync(Bytes(1), default)).Digest;
        var read = new byte[100];
        cache.ReadExactly(blob, 0, read);

        read.ShouldBe(Bytes(1));
        cache.CachedBytes.ShouldBe(0);
    }

    [Fact]
    public async Task ReadExactly_BeyondCap_EvictsWhatWasUsedLongestAgo()
    {
        var cache = Cache(350);
        var blobs = new List<Digest>();
        for (var i = 0; i < 3; i++)
            blobs.Add((await cache.PutAsync(Bytes(i), default)).Digest);
        cache.ReadExactly(blobs[0], 0, new byte[1]); // now 1 is the oldest

        var last = (await cache.PutAsync(Bytes(9), default)).Digest;

        cache.CachedBytes.ShouldBe(300);
        var local = new FileBlobStore(_folder["cache"]);
        (await local.ExistsAsync(blobs[1], default)).ShouldBeFalse();
        foreach (var kept in new[] { blobs[0], blobs[2], last })
            (await local.ExistsAsync(kept, default)).ShouldBeTrue();
        var again = new byte[100];
        cache.ReadExactly(blobs[1], 0, again);
        again.ShouldBe(Bytes(1));
    }

    [Fact]
    public async Task ReadExactly_BlobLargerThanHalfTheCap_IsReadByRange()
    {
        var blob = (await _remote.PutAsync(Bytes(1), default)).Digest;
        var cache = Cache(150);
        var read = new byte[7];

        cache.ReadExactly(blob, 3, read);

        read.ShouldBe(Bytes(1)[3..10]);
        cache.CachedBytes.ShouldBe(0);
    }

    [Fact]
    public async Task ReadExactly_DamagedRemoteBlob_IsRefused()
    {
        var blob = (await _remote.PutAsync(Bytes(1), default)).Digest;
        File.Delete(RemotePath(blob));
        File.WriteAllBytes(RemotePath(blob), Bytes(2));

        Should.Throw<DamagedBlobException>(() => Cache(1000).ReadExactly(blob, 0, new byte[100])).Blob.ShouldBe(blob);
    }

    [Fact]
    public async Task Open_ExistingFolder_CountsWhatIsThere()
    {
        await Cache(1000).PutAsync(Bytes(1), default);

        Cache(1000).CachedBytes.ShouldBe(100);
    }

    [Fact]
    public async Task ReadExactly_ManyReadersOfFewBlobs_AllGetTheirBytes()
    {
        var blobs = new List<Digest>();
        for (var i = 0; i < 10; i++)
            blobs.Add((await _remote.PutAsync(Bytes(i), default)).Digest);
        var cache = Cache(400); // forces evictions all the time

        Parallel.For(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 16 }, i =>
        {
            var read = new byte[100];
            cache.ReadExactly(blobs[i % 10], 0, read);
            read.ShouldBe(Bytes(i % 10));
        });

        cache.CachedBytes.ShouldBeLessThanOrEqualTo(400);
    }

    private CachingBlobStore Cache(long cap) => new(_remote, _folder["cache"], cap, _time);

    private string RemotePath(Digest blob) => _folder[$"remote/blobs/{blob.Hex[..2]}/{blob.Hex[2..]}"];

    private static byte[] Bytes(int seed)
    {
        var bytes = new byte[100];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Every look at the clock is one second later than the one before.</summary>
    private sealed class SteppingTime : TimeProvider
    {
        private int _seconds;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddSeconds(Interlocked.Increment(ref _seconds));
    }
}
