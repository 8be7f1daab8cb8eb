namespace Espalier.Upcycler.Metrics;

/// <summary>Makes one score per expert from those of fc1 (a) and fc2 (c). (arXiv 2604.19835.)</summary>
public static class Combination
{
    private const double NoDivisionByZero = 1e-10;

    /// <summary>One score per expert.</summary>
    public static double[] Combine(ScoreCombination combination, IReadOnlyList<double> a, IReadOnlyList<double> c)
    {
        var (sumA, sumC) = (a.Sum() + NoDivisionByZero, c.Sum() + NoDivisionByZero);
        return [.. a.Zip(c, (fc1, fc2) => combination switch
        {
            ScoreCombination.Fc1Only => fc1,
            ScoreCombination.Fc2Only => fc2,
            ScoreCombination.Average => (fc1 + fc2) / 2,
            ScoreCombination.Product => fc1 / sumA * (fc2 / sumC),
            ScoreCombination.Max => Math.Max(fc1, fc2),
            ScoreCombination.Min => Math.Min(fc1, fc2),
            _ => throw new ArgumentOutOfRangeException(nameof(combination), combination, "Unknown combination."),
        })];
    }
}
