using Espalier.Datasets.Building;
using Espalier.Datasets.Sampling;

namespace Espalier.Datasets;

/// <summary>Takes a part of a domain: documents in the order of a hash of their ids, so the choice is spread over the whole and stable.</summary>
internal static class SizeLimit
{
    /// <summary>Documents of at most <paramref name="limitBytes"/> bytes in all, in their old order; those that no longer fit are passed over.</summary>
    public static IReadOnlyList<Document> Apply(IReadOnlyList<Document> documents, long limitBytes)
    {
        var chosen = new HashSet<string>();
        var left = limitBytes;
        foreach (var document in documents.OrderBy(d => PlaceOf(d.Id)).ThenBy(d => d.Id, StringComparer.Ordinal))
        {
            var size = document.SizeBytes();
            if (size > left)
                continue;
            left -= size;
            chosen.Add(document.Id);
        }
        return [.. documents.Where(d => chosen.Contains(d.Id))];
    }

    /// <summary>The same for the kept documents of a spool: the others get the fate <see cref="Fate.OverLimit"/>.</summary>
    public static void Apply(DocumentSpool spool, Range range, long limitBytes, string folder)
    {
        using var order = new HashOrder(folder);
        foreach (var document in spool.Read(range, d => spool.FateOf(d) == Fate.Kept))
            order.Add(new HashRecord(PlaceOf(document.ToId()), 0, document.Number));
        var left = limitBytes;
        foreach (var document in order.InOrder().Select(record => record.Document))
        {
            var size = spool.SizeBytes(document);
            if (size > left)
                spool.Settle(document, Fate.OverLimit);
            else
                left -= size;
        }
    }

    private static ulong PlaceOf(string id) => StatelessRandom.Mix(StatelessRandom.Fnv1a(id));
}
