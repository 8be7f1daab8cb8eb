namespace Espalier.Datasets.Sampling;

/// <summary>
/// The sequences of a domain in groups by their loss, and which of them is the next: in each round of a <see cref="SetaRule"/> those of its
/// window, each group by its size; within a group shuffled and without replacement, on from where the round before left it. A function of
/// losses, seed and number, so there is nothing to save.
/// </summary>
public sealed class SampleGroups
{
    private const int MostIterations = 100;

    private readonly int[][] _groups;
    private readonly StagedSchedule _schedule;
    private readonly long _seed;

    /// <summary>Groups sequences.</summary>
    /// <param name="losses">Loss of each sequence of the domain, at least one.</param>
    /// <param name="drawn">How many sequences the run draws from the domain.</param>
    /// <param name="rule">Which groups are read when.</param>
    /// <param name="seed">Chooses the order.</param>
    /// <param name="name">The domain, of which each has an order of its own.</param>
    public SampleGroups(IReadOnlyList<float> losses, long drawn, SetaRule rule, long seed, string name = "")
    {
        _seed = (long)StatelessRandom.Key(seed, name);
        _groups = Group(losses, rule.Groups);
        Losses = [.. _groups.Select(group => group.Average(sequence => (double)losses[sequence]))];
        _schedule = new StagedSchedule(
            [.. Enumerable.Range(0, rule.Rounds).Select(round => WeightsOf(rule.WindowOf(round, _groups.Length)))],
            [.. Enumerable.Range(1, rule.Rounds - 1).Select(round => (long)((Int128)drawn * round / rule.Rounds))],
            _seed);
    }

    /// <summary>Sequences of each group, the easiest first.</summary>
    public IReadOnlyList<int> Sizes => [.. _groups.Select(group => group.Length)];

    /// <summary>Mean loss of each group.</summary>
    public IReadOnlyList<double> Losses { get; }

    /// <summary>Which sequence of the domain is read, as the number <paramref name="ordinal"/> that it gives.</summary>
    public int At(long ordinal)
    {
        var (group, number) = _schedule.At(ordinal);
        var (reading, position) = Math.DivRem(number, _groups[group].Length);
        return _groups[group][StatelessRandom.Permute(StatelessRandom.Key(_seed, $"group {group}", reading), position, _groups[group].Length)];
    }

    /// <summary>How many different sequences of each group are among the first <paramref name="drawn"/>.</summary>
    public IReadOnlyList<long> Read(long drawn) => [.. _schedule.Counts(drawn).Zip(_groups, (count, group) => Math.Min(count, group.Length))];

    /// <summary>
    /// Sorts by loss and cuts into groups by k-means in one dimension. It starts from losses that are far from each other: the lowest, then
    /// again and again the one farthest from those chosen. Where there are fewer different losses than groups, groups are of equal size.
    /// </summary>
    internal static int[][] Group(IReadOnlyList<float> losses, int groups)
    {
        int[] order = [.. Enumerable.Range(0, losses.Count).OrderBy(i => losses[i]).ThenBy(i => i)];
        var count = Math.Min(groups, order.Length);
        int[] starts = [.. Enumerable.Range(0, count + 1).Select(i => (int)((long)i * order.Length / count))];
        if (losses.Distinct().Count() >= groups)
        {
            starts = Borders(FarApart());
            for (var iteration = 0; iteration < MostIterations; iteration++)
            {
                var moved = Borders([.. Enumerable.Range(0, count).Select(i => order[starts[i]..starts[i + 1]].Average(s => (double)losses[s]))]);
                if (moved.SequenceEqual(starts) || moved.Zip(moved.Skip(1)).Any(ends => ends.First >= ends.Second)) // none may be empty
                    break;
                starts = moved;
            }
        }
        return [.. Enumerable.Range(0, count).Select(i => order[starts[i]..starts[i + 1]])];

        double[] FarApart()
        {
            var (chosen, distances) = (new List<double> { losses[order[0]] }, new double[order.Length]);
            Array.Fill(distances, double.PositiveInfinity);
            while (chosen.Count < count)
            {
                for (var i = 0; i < distances.Length; i++)
                    distances[i] = Math.Min(distances[i], Math.Abs(losses[order[i]] - chosen[^1]));
                chosen.Add(losses[order[Array.IndexOf(distances, distances.Max())]]);
            }
            return [.. chosen.Order()];
        }

        // Half way between neighbours.
        int[] Borders(double[] centres) => [0, .. centres.Zip(centres.Skip(1), (low, high) => FirstAbove((low + high) / 2)), order.Length];

        int FirstAbove(double border)
        {
            var (low, high) = (0, order.Length);
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (losses[order[middle]] > border)
                    high = middle;
                else
                    low = middle + 1;
            }
            return low;
        }
    }

    private double[] WeightsOf((int First, int Count) window) =>
        [.. _groups.Select((group, i) => i >= window.First && i < window.First + window.Count ? (double)group.Length : 0)];
}
