using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Benchmarks.StoreTransfer;

/// <summary>
/// What the digest check of a blob's first read costs: files in the page cache, read by a plain call, by a store that has not seen them,
/// and by one that has. One thread; medians of rounds that take turns.
/// </summary>
internal static class FirstRead
{
    private const int BlobBytes = 32 << 20, RangeBytes = 1 << 20, Rounds = 7;

    public static async Task<int> RunAsync(string folder, int megabytes)
    {
        var blobs = await WriteAsync(folder, Math.Max(1, megabytes * 1_000_000L / BlobBytes)).ConfigureAwait(false);
        var buffer = new byte[BlobBytes];
        var times = new Dictionary<string, List<double>>();
        for (var round = 0; round <= Rounds; round++)
        {
            var (whole, ranges) = (new FileBlobStore(folder), new FileBlobStore(folder));
            Measure("plain read of the files", () => blobs.ForEach(b => ReadFile(folder, b, buffer)));
            Measure("whole blobs, first read", () => blobs.ForEach(b => whole.ReadExactly(b, 0, buffer)));
            Measure("whole blobs, again", () => blobs.ForEach(b => whole.ReadExactly(b, 0, buffer)));
            Measure("ranges of 1 MiB, first read", () => blobs.ForEach(b => ReadRanges(ranges, b, buffer)));
            Measure("ranges of 1 MiB, again", () => blobs.ForEach(b => ReadRanges(ranges, b, buffer)));
            Measure("sha256 of bytes in memory", () => blobs.ForEach(_ => SHA256.HashData(buffer)));

            void Measure(string name, Action work)
            {
                var clock = Stopwatch.StartNew();
                work();
                if (round > 0) // the first warms up
                    times.TryAdd(name, []);
                if (round > 0)
                    times[name].Add(blobs.Count * (double)BlobBytes / 1e6 / clock.Elapsed.TotalSeconds);
            }
        }
        foreach (var (name, rates) in times)
        {
            rates.Sort();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-30} {rates[Rounds / 2],7:0} MB/s  ({rates[0]:0} to {rates[^1]:0})"));
        }
        return 0;
    }

    private static async Task<List<Digest>> WriteAsync(string folder, long count)
    {
        var store = new FileBlobStore(folder, new FileBlobStoreOptions { IsDurable = false });
        var (bytes, blobs) = (new byte[BlobBytes], new List<Digest>());
        for (var i = 0; i < count; i++)
        {
            RandomNumberGenerator.Fill(bytes);
            blobs.Add((await store.PutAsync(bytes, default).ConfigureAwait(false)).Digest);
        }
        return blobs;
    }

    private static void ReadFile(string folder, Digest blob, byte[] buffer)
    {
        using var file = File.OpenHandle(Path.Combine(folder, "blobs", blob.Hex[..2], blob.Hex[2..]));
        for (var read = 0; read < BlobBytes;)
            read += RandomAccess.Read(file, buffer.AsSpan(read), read);
    }

    private static void ReadRanges(FileBlobStore store, Digest blob, byte[] buffer)
    {
        for (var at = 0; at < BlobBytes; at += RangeBytes)
            store.ReadExactly(blob, at, buffer.AsSpan(at, RangeBytes));
    }
}
