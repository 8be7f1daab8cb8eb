using Espalier.Contracts;
using Espalier.Datasets.Sampling;

namespace Espalier.Datasets;

/// <summary>
/// Which split a document belongs to: FNV-1a-64 of "domain/id" modulo 100. 0 to 4 is held-out, 5 to 9 validation, the
/// rest train. A document never changes sides when others come or go.
/// </summary>
internal static class SplitRule
{
    /// <summary>The rule for one document.</summary>
    public static string Of(string domain, string id) => (StatelessRandom.Fnv1a($"{domain}/{id}") % 100) switch
    {
        < 5 => DatasetSplits.HeldOut,
        < 10 => DatasetSplits.Validation,
        _ => DatasetSplits.Train,
    };

    /// <summary>
    /// The split of every document of a domain. In a small domain the rule may leave a split empty; then the document with the smallest
    /// hash is held out, the next one (from three documents on) validates.
    /// </summary>
    /// <exception cref="UserInputException">Fewer than two documents.</exception>
    public static IReadOnlyList<string> Assign(string domain, IReadOnlyList<string> ids)
    {
        if (ids.Count < 2)
            throw new UserInputException(
                $"The domain '{domain}' has {ids.Count} document(s) after cleaning; at least two are needed, one to train on and one to measure on.");
        var splits = ids.Select(id => Of(domain, id)).ToArray();
        var byHash = Enumerable.Range(0, ids.Count).OrderBy(i => StatelessRandom.Fnv1a($"{domain}/{ids[i]}")).ThenBy(i => ids[i], StringComparer.Ordinal)
            .ToList();
        Fill(DatasetSplits.HeldOut);
        if (ids.Count >= 3)
            Fill(DatasetSplits.Validation);
        Fill(DatasetSplits.Train);
        return splits;

        // Takes the first document from a split that keeps at least one.
        void Fill(string split)
        {
            if (splits.Contains(split))
                return;
            var counts = splits.CountBy(s => s).ToDictionary();
            splits[byHash.First(i => counts[splits[i]] > 1 || (splits[i] == DatasetSplits.Validation && ids.Count < 3))] = split;
        }
    }
}
