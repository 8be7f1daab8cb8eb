namespace Espalier.Evaluator.Statistics;

/// <summary>An estimate with its interval; the bounds are null with a single unit.</summary>
/// <param name="Value">The estimate on all units.</param>
/// <param name="Low">Lower bound.</param>
/// <param name="High">Upper bound.</param>
public sealed record Interval(double Value, double? Low, double? High)
{
    /// <summary>Fewest units (documents or items) for which an interval is given.</summary>
    public const int FewestUnits = 2;

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
