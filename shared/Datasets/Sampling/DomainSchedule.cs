namespace Espalier.Datasets.Sampling;

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
    private volatile Cycle? _lastCycle;

    public DomainSchedule(IReadOnlyList<double> weights, long seed)
    {
        _seed = seed;
        _quotas = Quotas(weights);
        _slots = [.. _quotas.SelectMany((quota, domain) => Enumerable.Repeat(domain, quota))];
    }

    /// <summary>Share of the sequences of each domain.</summary>
    public IEnumerable<double> Shares => _quotas.Select(quota => (double)quota / _slots.Length);

    /// <summary>The domain of a sequence, and how many earlier sequences came from it.</summary>
    public (int Domain, long Ordinal) At(long sequence)
    {
        var (number, position) = Math.DivRem(sequence, _slots.Length);
        var (domain, before) = CycleAt(number).Slots[position];
        return (domain, number * _quotas[domain] + before);
    }

    /// <summary>How many of the first <paramref name="sequences"/> sequences come from each domain.</summary>
    public long[] Counts(long sequences)
    {
        var (cycles, rest) = Math.DivRem(sequences, _slots.Length);
        var counts = Array.ConvertAll(_quotas, quota => quota * cycles);
        foreach (var (domain, _) in CycleAt(cycles).Slots.AsSpan(0, (int)rest))
            counts[domain]++;
        return counts;
    }

    // The last cycle is kept, since sequences are asked for in order; a race only computes it twice.
    private Cycle CycleAt(long number)
    {
        if (_lastCycle is { } last && last.Number == number)
            return last;
        var key = StatelessRandom.Key(_seed, "domains", number);
        var seen = new int[_quotas.Length];
        var slots = new (int Domain, int Before)[_slots.Length];
        for (var position = 0; position < slots.Length; position++)
        {
            var domain = _slots[StatelessRandom.Permute(key, position, slots.Length)];
            slots[position] = (domain, seen[domain]++);
        }
        return _lastCycle = new Cycle(number, slots);
    }

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

    // Before: how many earlier slots of the cycle have the same domain.
    private sealed record Cycle(long Number, (int Domain, int Before)[] Slots);
}
