namespace Espalier.Evaluator.Statistics;

/// <summary>
/// How much a metric of one model differs from another's on the same units. A gate "no worse than the other by more
/// than d, with confidence c" passes when <see cref="UpperBound"/> (one-sided) is below d; an interval that merely
/// contains zero proves nothing.
/// </summary>
/// <param name="Difference">First minus second, with the two-sided interval.</param>
/// <param name="LowerBound">One-sided lower bound.</param>
/// <param name="UpperBound">One-sided upper bound.</param>
public sealed record PairedComparison(Interval Difference, double? LowerBound, double? UpperBound)
{
    /// <summary>Compares two estimates over the same units.</summary>
    internal static PairedComparison Of(RatioEstimate first, RatioEstimate second, double confidence)
    {
        var difference = first.Minus(second);
        return new PairedComparison(difference.Interval(confidence), difference.Bound(1 - confidence), difference.Bound(confidence));
    }
}

/// <summary>McNemar's exact test on paired right and wrong answers (McNemar 1947).</summary>
public static class McNemar
{
    /// <summary>Probability of a split at least as uneven as (lost, gained) if both directions were equally likely; two-sided.</summary>
    /// <param name="lost">Items that the second model gets right and the first wrong.</param>
    /// <param name="gained">Items that the first model gets right and the second wrong.</param>
    public static double TwoSided(int lost, int gained) => Math.Min(1, 2 * OneSided(lost, gained));

    /// <summary>The tail in one direction: P(X &lt;= min(lost, gained)) for X binomial with probability one half.</summary>
    public static double OneSided(int lost, int gained)
    {
        var trials = lost + gained;
        var logProbability = -trials * Math.Log(2); // of zero successes
        var tail = Math.Exp(logProbability);
        for (var k = 1; k <= Math.Min(lost, gained); k++)
        {
            logProbability += Math.Log((trials - k + 1.0) / k);
            tail += Math.Exp(logProbability);
        }
        return Math.Min(1, tail);
    }
}
