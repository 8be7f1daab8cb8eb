namespace Espalier.Stages.Data.Sampling;

/// <summary>
/// Which domain each sequence comes from. Sequences go in cycles of 1024: within a cycle every domain gets its share
/// (largest remainder, at least one), in an order that the seed and the cycle's number choose.
/// </summary>
internal sealed class DomainSchedule
{
    private const int CycleLength = 1024;

    private readonly int[] _quotas;
    private readonly int[] _slots;
    private readonly long _seed;

    public DomainSchedule(IReadOnlyList<double> weights, long seed)
    {
        _seed = seed;
        _quotas = Quotas(weights);
        _slots = [.. _quotas.SelectMany((quota, domain) => Enumerable.Repeat(domain, quota))];
    }

    /// <summary>The domain of a sequence, and how many earlier sequences came from it.</summary>
    public (int Domain, long Ordinal) At(long sequence)
    {
        var (cycle, position) = Math.DivRem(sequence, _slots.Length);
        var domain = DomainAt(cycle, position);
        var earlier = 0L;
        for (var p = 0L; p < position; p++)
            earlier += DomainAt(cycle, p) == domain ? 1 : 0;
        return (domain, cycle * _quotas[domain] + earlier);
    }

    /// <summary>How many of the first <paramref name="sequences"/> sequences come from each domain.</summary>
    public long[] Counts(long sequences)
    {
        var (cycles, rest) = Math.DivRem(sequences, _slots.Length);
        var counts = Array.ConvertAll(_quotas, quota => quota * cycles);
        for (var p = 0L; p < rest; p++)
            counts[DomainAt(cycles, p)]++;
        return counts;
    }

    private int DomainAt(long cycle, long position) =>
        _slots[KeyedRandom.Permute(KeyedRandom.Key(_seed, "domains", cycle), position, _slots.Length)];

    private static int[] Quotas(IReadOnlyList<double> weights)
    {
        var total = weights.Sum();
        var exact = weights.Select(w => w / total * CycleLength).ToArray();
        var quotas = exact.Select((e, i) => weights[i] > 0 ? Math.Max(1, (int)e) : 0).ToArray();
        var byRemainder = Enumerable.Range(0, exact.Length).Where(i => weights[i] > 0).OrderByDescending(i => exact[i] - quotas[i]).ThenBy(i => i).ToArray();
        for (var next = 0; quotas.Sum() < CycleLength; next++)
            quotas[byRemainder[next % byRemainder.Length]]++;
        return quotas;
    }
}
