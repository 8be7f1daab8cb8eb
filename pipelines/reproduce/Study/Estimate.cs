namespace Espalier.Study;

/// <summary>A number with its 95 % interval over seeds; without bounds where there is one seed only or the denominator may be 0.</summary>
public readonly record struct Estimate(double Value, double? Low, double? High)
{
    // Quantiles 0.975 of Student's t for 1, 2, ... degrees of freedom; beyond them the normal one is near enough.
    private static readonly double[] Quantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131];

    /// <summary>Whether the interval excludes 0.</summary>
    public bool IsClear => Low > 0 || High < 0;

    /// <summary>The mean of differences that are paired by seed.</summary>
    public static Estimate Mean(IReadOnlyList<double> values)
    {
        var mean = values.Average();
        if (values.Count < 2)
            return new Estimate(mean, null, null);
        var half = Quantile(values.Count) * Math.Sqrt(Covariance(values, values) / values.Count);
        return new Estimate(mean, mean - half, mean + half);
    }

    /// <summary>
    /// Ratio of means of paired numbers, with the interval of Fieller (1954): all r for which the mean of n - r d may be 0.
    /// It is unbounded when the mean of d may be 0 itself.
    /// </summary>
    public static Estimate Ratio(IReadOnlyList<double> numerators, IReadOnlyList<double> denominators)
    {
        var (n, d) = (numerators.Average(), denominators.Average());
        if (numerators.Count < 2)
            return new Estimate(n / d, null, null);
        var weight = Math.Pow(Quantile(numerators.Count), 2) / numerators.Count;
        var a = d * d - weight * Covariance(denominators, denominators);
        var b = n * d - weight * Covariance(numerators, denominators);
        var c = n * n - weight * Covariance(numerators, numerators);
        var root = b * b - a * c;
        return a > 0 && root >= 0 ? new Estimate(n / d, (b - Math.Sqrt(root)) / a, (b + Math.Sqrt(root)) / a) : new Estimate(n / d, null, null);
    }

    private static double Quantile(int count) => count - 2 < Quantiles.Length ? Quantiles[count - 2] : 1.96;

    private static double Covariance(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        var (meanX, meanY) = (x.Average(), y.Average());
        return x.Zip(y, (a, b) => (a - meanX) * (b - meanY)).Sum() / (x.Count - 1);
    }
}
