namespace Espalier.Datasets.Sampling;

/// <summary>
/// Which domain each sequence comes from where the mixture changes (a data curriculum): a <see cref="DomainSchedule"/> for each stage. What a
/// domain gives goes on where the stages before left it, so that no stage repeats what another has read. A function of the sequence's number.
/// </summary>
internal sealed class StagedSchedule
{
    private readonly Stage[] _stages;

    /// <param name="weights">By stage, the weight of every domain.</param>
    /// <param name="ends">By stage but the last, the first sequence of the next.</param>
    /// <param name="seed">Chooses the order.</param>
    public StagedSchedule(IReadOnlyList<IReadOnlyList<double>> weights, IReadOnlyList<long> ends, long seed)
    {
        _stages = new Stage[weights.Count];
        var (first, before) = (0L, new long[weights[0].Count]);
        for (var i = 0; i < _stages.Length; i++)
        {
            var schedule = new DomainSchedule(weights[i], i == 0 ? seed : (long)StatelessRandom.Key(seed, "stage", i));
            _stages[i] = new Stage(first, schedule, before);
            if (i == ends.Count)
                break;
            ArgumentOutOfRangeException.ThrowIfLessThan(ends[i], first);
            before = Sum(before, schedule.Counts(ends[i] - first));
            first = ends[i];
        }
    }

    /// <summary>Share of the sequences of each domain, by stage.</summary>
    public IEnumerable<IEnumerable<double>> Shares => _stages.Select(stage => stage.Schedule.Shares);

    /// <summary>The domain of a sequence, and how many earlier sequences came from it.</summary>
    public (int Domain, long Ordinal) At(long sequence)
    {
        var stage = StageOf(sequence);
        var (domain, ordinal) = stage.Schedule.At(sequence - stage.First);
        return (domain, stage.Before[domain] + ordinal);
    }

    /// <summary>How many of the first <paramref name="sequences"/> sequences come from each domain.</summary>
    public long[] Counts(long sequences)
    {
        var stage = StageOf(sequences);
        return Sum(stage.Before, stage.Schedule.Counts(sequences - stage.First));
    }

    private Stage StageOf(long sequence) => Array.FindLast(_stages, stage => stage.First <= sequence)!;

    private static long[] Sum(long[] a, long[] b) => [.. a.Zip(b, (x, y) => x + y)];

    // Before: sequences of each domain in the stages before.
    private sealed record Stage(long First, DomainSchedule Schedule, long[] Before);
}
