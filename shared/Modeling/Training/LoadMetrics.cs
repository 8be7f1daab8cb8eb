namespace Espalier.Modeling.Training;

/// <summary>How evenly experts are used, from how often each was selected (c).</summary>
/// <param name="MaxViolation">max c / mean c - 1; 0 is perfect.</param>
/// <param name="MinViolation">1 - min c / mean c.</param>
/// <param name="Variation">Population standard deviation over mean.</param>
/// <param name="EntropyRatio">Entropy of c / sum c over ln E; 1 is perfect.</param>
/// <param name="DeadShare">Share of experts below 1 % of the mean.</param>
public sealed record LoadMetrics(double MaxViolation, double MinViolation, double Variation, double EntropyRatio, double DeadShare)
{
    private const double DeadBelow = 0.01;

    /// <summary>The largest <see cref="MaxViolation"/> of any layer; 0 when no layer has experts.</summary>
    /// <param name="layers">Per layer, tokens by expert; none in dense layers.</param>
    public static double MaxViolationOf(IReadOnlyList<IReadOnlyList<long>> layers) => Violations(layers).Max();

    /// <summary>The mean of <see cref="MaxViolation"/> over the layers with experts; 0 when there are none.</summary>
    /// <param name="layers">Per layer, tokens by expert; none in dense layers.</param>
    public static double MeanViolationOf(IReadOnlyList<IReadOnlyList<long>> layers) => Violations(layers).Average();

    /// <summary>The smallest <see cref="EntropyRatio"/> of any layer; 1 when no layer has experts.</summary>
    /// <param name="layers">Per layer, tokens by expert; none in dense layers.</param>
    public static double EntropyOf(IReadOnlyList<IReadOnlyList<long>> layers) =>
        Sparse(layers).Select(counts => Of(counts).EntropyRatio).DefaultIfEmpty(1).Min();

    /// <summary>The largest <see cref="DeadShare"/> of any layer; 0 when no layer has experts.</summary>
    /// <param name="layers">Per layer, tokens by expert; none in dense layers.</param>
    public static double DeadShareOf(IReadOnlyList<IReadOnlyList<long>> layers) =>
        Sparse(layers).Select(counts => Of(counts).DeadShare).DefaultIfEmpty(0).Max();

    private static IEnumerable<double> Violations(IReadOnlyList<IReadOnlyList<long>> layers) =>
        Sparse(layers).Select(counts => Of(counts).MaxViolation).DefaultIfEmpty(0);

    private static IEnumerable<IReadOnlyList<long>> Sparse(IReadOnlyList<IReadOnlyList<long>> layers) => layers.Where(counts => counts.Count > 0);

    /// <summary>Metrics of one layer's counts; those of perfect balance where there is nothing to count.</summary>
    public static LoadMetrics Of(IReadOnlyList<long> counts)
    {
        var mean = counts.DefaultIfEmpty().Average();
        if (mean == 0)
            return new LoadMetrics(0, 0, 0, 1, 0);
        var deviation = Math.Sqrt(counts.Average(count => (count - mean) * (count - mean)));
        var entropy = counts.Where(count => count > 0).Select(count => count / (mean * counts.Count)).Sum(q => -q * Math.Log(q));
        return new LoadMetrics(
            counts.Max() / mean - 1,
            1 - counts.Min() / mean,
            deviation / mean,
            counts.Count == 1 ? 1 : entropy / Math.Log(counts.Count),
            counts.Count(count => count < DeadBelow * mean) / (double)counts.Count);
    }
}
