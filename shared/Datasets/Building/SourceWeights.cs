namespace Espalier.Datasets.Building;

/// <summary>Weights of sources as weights of their domains.</summary>
internal static class SourceWeights
{
    /// <summary>
    /// Each source's weight, shared out among its domains by the size of their training text; null where sources have no weights.
    /// </summary>
    public static IReadOnlyDictionary<string, double>? ByDomain(
        IReadOnlyList<TextSource> sources, IReadOnlyList<DomainDraft> domains, Func<DomainDraft, long> sizeOf)
    {
        if (sources.All(s => s.Weight is null))
            return null;
        var weights = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach (var source in sources)
        {
            var own = domains.Where(d => ReferenceEquals(d.Source, source)).Select(d => (d.Name, Size: (double)sizeOf(d))).ToList();
            foreach (var (name, size) in own)
                weights[name] = source.Weight.GetValueOrDefault() * size / Math.Max(1, own.Sum(d => d.Size));
        }
        return weights;
    }
}
