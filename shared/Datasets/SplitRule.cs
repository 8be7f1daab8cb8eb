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
    /// Splits the documents of a domain, in order. In a small domain the rule may leave a split empty; then the document
    /// with the smallest hash is held out, the next one (from three documents on) validates.
    /// </summary>
    /// <exception cref="UserInputException">Fewer than two documents.</exception>
    public static IReadOnlyDictionary<string, IReadOnlyList<Document>> Split(string domain, IReadOnlyList<Document> documents)
    {
        if (documents.Count < 2)
            throw new UserInputException(
                $"The domain '{domain}' has {documents.Count} document(s) after cleaning; at least two are needed, one to train on and one to measure on.");
        var splits = documents.ToDictionary(d => d.Id, d => Of(domain, d.Id));
        var byHash = documents.Select(d => d.Id).OrderBy(id => StatelessRandom.Fnv1a($"{domain}/{id}")).ThenBy(id => id, StringComparer.Ordinal).ToList();
        Fill(DatasetSplits.HeldOut);
        if (documents.Count >= 3)
            Fill(DatasetSplits.Validation);
        Fill(DatasetSplits.Train);
        return DatasetSplits.Stored.ToDictionary(split => split, split => (IReadOnlyList<Document>)[.. documents.Where(d => splits[d.Id] == split)]);

        // Takes the first document from a split that keeps at least one.
        void Fill(string split)
        {
            if (splits.ContainsValue(split))
                return;
            var counts = splits.Values.CountBy(s => s).ToDictionary();
            splits[byHash.First(id => counts[splits[id]] > 1 || (splits[id] == DatasetSplits.Validation && documents.Count < 3))] = split;
        }
    }
}
