namespace Espalier.Quantizer.Mixing;

/// <summary>One way to store a unit.</summary>
/// <param name="Bits">Bits of a code.</param>
/// <param name="Bytes">What it takes, scales included.</param>
/// <param name="Damage">What it costs, at least 0.</param>
public sealed record BitChoice(int Bits, long Bytes, double Damage);

/// <summary>
/// min sum_u D_u subject to sum_u c_u &lt;= C, one choice for each unit: from the smallest choices on, the upgrade with the largest fall of damage per
/// byte that still fits, along each unit's lower convex hull. That is optimal for fractional choices, so it is at most one upgrade away from the best.
/// </summary>
internal static class BitAllocation
{
    /// <summary>The index of each unit's choice.</summary>
    /// <param name="units">Choices of every unit, by rising bytes.</param>
    /// <param name="budget">Bytes for all units together.</param>
    /// <exception cref="ArgumentOutOfRangeException">The smallest choices do not fit.</exception>
    public static int[] Choose(IReadOnlyList<IReadOnlyList<BitChoice>> units, long budget)
    {
        var left = budget - units.Sum(choices => choices[0].Bytes);
        ArgumentOutOfRangeException.ThrowIfNegative(left, nameof(budget));
        var hulls = units.Select(Hull).ToList();
        var at = new int[units.Count]; // positions on the hulls
        while (Best() is { } unit)
        {
            left -= Step(unit).Bytes;
            at[unit]++;
        }
        return [.. at.Select((position, unit) => hulls[unit][position])];

        int? Best() => Enumerable.Range(0, units.Count)
            .Where(unit => at[unit] + 1 < hulls[unit].Count && Step(unit).Bytes <= left)
            .Select(unit => (int?)unit).MaxBy(unit => Step(unit!.Value).Fall / Step(unit.Value).Bytes); // the first of equals

        (long Bytes, double Fall) Step(int unit)
        {
            var (from, to) = (units[unit][hulls[unit][at[unit]]], units[unit][hulls[unit][at[unit] + 1]]);
            return (to.Bytes - from.Bytes, from.Damage - to.Damage);
        }
    }

    // Choices on the lower convex hull of (bytes, damage) whose damage falls.
    private static List<int> Hull(IReadOnlyList<BitChoice> choices)
    {
        var hull = new List<int> { 0 };
        for (var next = 1; next < choices.Count; next++)
        {
            if (choices[next].Damage >= choices[hull[^1]].Damage || choices[next].Bytes <= choices[hull[^1]].Bytes)
                continue;
            while (hull.Count > 1 && Slope(hull[^2], hull[^1]) <= Slope(hull[^1], next))
                hull.RemoveAt(hull.Count - 1);
            hull.Add(next);
        }
        return hull;

        double Slope(int from, int to) => (choices[from].Damage - choices[to].Damage) / (choices[to].Bytes - choices[from].Bytes);
    }
}
