using Espalier.Datasets.Sampling;

namespace Espalier.Datasets.Building;

/// <summary>
/// Held-out documents to make questions of: all, or of more text than memory should hold, those whose hash is below a share.
/// </summary>
internal static class HeldOutSample
{
    /// <summary>UTF-8 bytes of one domain that are held at once, about.</summary>
    public const long MostBytes = 32L << 20;

    public static IReadOnlyList<Document> Of(DocumentSpool spool, Range range)
    {
        bool IsHeldOut(int document) => spool.FateOf(document) == Fate.Kept && spool.SplitOf(document) == DatasetSplits.HeldOut;
        var (from, count) = range.GetOffsetAndLength(spool.Count);
        var bytes = Enumerable.Range(from, count).Where(IsHeldOut).Sum(d => (long)spool.SizeBytes(d));
        var share = (double)MostBytes / Math.Max(1, bytes);
        return
        [
            .. spool.Read(range, IsHeldOut)
                .Where(d => share >= 1 || StatelessRandom.Mix(StatelessRandom.Fnv1a(d.ToId())) < share * ulong.MaxValue)
                .Select(d => d.ToDocument()),
        ];
    }
}
