using Espalier.Artifacts.Checkpoints;
namespace Espalier.Benchmarks.StoreTransfer;

/// <summary>What the disk can do: the limit.</summary>
internal static class FileCopy
{
    private const int BufferBytes = 1 << 20;

    public static void Run(string from, string to)
    {
        using var source = File.OpenRead(from);
        using var target = File.Create(to);
        source.CopyTo(target, BufferBytes);
        target.Flush(flushToDisk: true);
    }

    /// <summary>Whether every weight of one folder is in the other, whatever the files are called.</summary>
    public static bool AreEqual(string folder, string other)
    {
        using var mine = Artifacts.Checkpoints.HuggingFaceDirectory.Open(folder);
        using var theirs = Artifacts.Checkpoints.HuggingFaceDirectory.Open(other);
        return mine.Names.All(name => mine.ReadAll(name).AsSpan().SequenceEqual(theirs.ReadAll(name)));
    }
}

/// <summary>Bytes that went over the loopback device so far.</summary>
internal static class Loopback
{
    public static long Bytes() => long.Parse(
        File.ReadLines("/proc/net/dev").First(l => l.TrimStart().StartsWith("lo:", StringComparison.Ordinal))
            .Split(':')[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0],
        System.Globalization.CultureInfo.InvariantCulture);
}
