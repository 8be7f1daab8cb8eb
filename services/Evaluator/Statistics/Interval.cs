namespace Espalier.Evaluator.Statistics;

/// <summary>An estimate with its percentile interval; the bounds are null when there are too few units to draw from.</summary>
/// <param name="Value">The estimate on all units.</param>
/// <param name="Low">Lower bound.</param>
/// <param name="High">Upper bound.</param>
public sealed record Interval(double Value, double? Low, double? High)
{
    /// <summary>Fewest units (documents or items) for which an interval is given.</summary>
    public const int FewestUnits = 2;

    /// <summary>The two-sided percentile interval of resampled values.</summary>
    /// <param name="value">The estimate on all units.</param>
    /// <param name="resampled">The estimate on each resample; empty when there is none.</param>
    /// <param name="confidence">Share of resamples between the bounds, such as 0.95.</param>
    public static Interval Of(double value, double[] resampled, double confidence)
    {
        if (resampled.Length == 0)
            return new Interval(value, null, null);
        var sorted = resampled.Order().ToArray();
        var tail = (1 - confidence) / 2;
        return new Interval(value, Quantile(sorted, tail), Quantile(sorted, 1 - tail));
    }

    /// <summary>The same interval on another scale; <paramref name="scale"/> must be increasing.</summary>
    public Interval Map(Func<double, double> scale) =>
        new(scale(Value), Low is { } low ? scale(low) : null, High is { } high ? scale(high) : null);

    /// <summary>Linear interpolation between order statistics (type 7 of Hyndman and Fan 1996).</summary>
    public static double Quantile(double[] sorted, double share)
    {
        var position = share * (sorted.Length - 1);
        var below = (int)Math.Floor(position);
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
    }
}
