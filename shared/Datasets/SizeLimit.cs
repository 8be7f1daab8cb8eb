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
        foreach (var document in documents.OrderBy(d => StatelessRandom.Mix(StatelessRandom.Fnv1a(d.Id))).ThenBy(d => d.Id, StringComparer.Ordinal))
        {
            var size = document.SizeBytes();
            if (size > left)
                continue;
            left -= size;
            chosen.Add(document.Id);
        }
        return [.. documents.Where(d => chosen.Contains(d.Id))];
    }
}
