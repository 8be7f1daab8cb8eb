using Espalier.Datasets.Building;
using Espalier.Datasets.Sampling;

namespace Espalier.Datasets.Selection;

/// <summary>
/// Keeps a share of a domain's training documents by their distance to prototypes (arXiv 2206.14486). Documents are vectors of hashed words
/// (<see cref="TextFeatures"/>) less their mean; prototypes are found in a sample of them; then each document is looked at once more. In
/// memory are the sample and a few bytes a document.
/// </summary>
internal sealed class DocumentSelection(DocumentSpool spool, KeepRequest request)
{
    private const int Sample = 8192;
    private const int GroupDocuments = 1024;

    /// <summary>Settles which training documents of a domain are not kept.</summary>
    /// <returns>How many prototypes were found.</returns>
    public int Apply(DomainDraft domain, CancellationToken cancellationToken)
    {
        var numbers = new List<int>();
        var (from, count) = domain.Documents.GetOffsetAndLength(spool.Count);
        for (var document = from; document < from + count; document++)
        {
            if (DomainDraft.IsIn(spool, document, DatasetSplits.Train))
                numbers.Add(document);
        }
        if (numbers.Count == 0)
            return 0;
        var (mean, prototypes) = FindPrototypes(domain, numbers, cancellationToken);
        var (clusters, distances) = (new int[numbers.Count], new float[numbers.Count]);
        var at = 0;
        foreach (var vectors in Vectors(domain, d => DomainDraft.IsIn(spool, d, DatasetSplits.Train), cancellationToken))
        {
            foreach (var vector in vectors)
            {
                TextFeatures.Normalize(vector, mean);
                (clusters[at], distances[at++]) = prototypes.Nearest(vector);
            }
        }
        var keep = Math.Max(1, (int)Math.Round(request.Fraction * numbers.Count, MidpointRounding.AwayFromZero));
        foreach (var index in PrototypeOrder.Of(clusters, distances, request.Prefer).Skip(keep))
            spool.Settle(numbers[index], Fate.Pruned);
        return prototypes.Count;
    }

    private (float[] Mean, Prototypes Prototypes) FindPrototypes(DomainDraft domain, List<int> numbers, CancellationToken cancellationToken)
    {
        var key = StatelessRandom.Key(request.Seed, domain.Name);
        var drawn = Enumerable.Range(0, Math.Min(Sample, numbers.Count)).Select(i => numbers[(int)StatelessRandom.Permute(key, i, numbers.Count)]).ToHashSet();
        var sample = Vectors(domain, drawn.Contains, cancellationToken).SelectMany(group => group).ToList();
        var sums = new double[TextFeatures.Size];
        foreach (var vector in sample)
        {
            for (var i = 0; i < sums.Length; i++)
                sums[i] += vector[i];
        }
        float[] mean = [.. sums.Select(sum => (float)(sum / sample.Count))];
        foreach (var vector in sample)
            TextFeatures.Normalize(vector, mean);
        return (mean, Prototypes.Find(sample, request.Clusters, (long)key, cancellationToken));
    }

    private IEnumerable<float[][]> Vectors(DomainDraft domain, Func<int, bool> wanted, CancellationToken cancellationToken)
    {
        foreach (var group in spool.Read(domain.Documents, wanted).Select(d => d.ToDocument().Text).Chunk(GroupDocuments))
        {
            var vectors = new float[group.Length][];
            Parallel.For(0, group.Length, new ParallelOptions { CancellationToken = cancellationToken }, () => new List<ulong>(), (i, _, words) =>
            {
                vectors[i] = TextFeatures.Of(group[i], words);
                return words;
            }, _ => { });
            yield return vectors;
        }
    }
}
