namespace Espalier.Modeling.Training.Annealing;

/// <summary>
/// What the scaling law with learning-rate annealing (arXiv 2408.11029) reads from a schedule, rate x step:
/// S1 = sum of the rates; S2 = sum of m_i, m_i = lambda m_{i-1} + (eta_{i-1} - eta_i), how much the rate has fallen and how long ago.
/// A rate that rises makes m negative.
/// </summary>
/// <param name="Forward">S1.</param>
/// <param name="Annealing">S2.</param>
public readonly record struct AnnealingAreas(double Forward, double Annealing)
{
    /// <summary>The areas behind each rate after the first, which is the rate that a run starts from.</summary>
    public static IReadOnlyList<AnnealingAreas> Of(IReadOnlyList<double> rates, double decay)
    {
        var (areas, momentum) = (new List<AnnealingAreas>(), 0.0);
        var last = new AnnealingAreas();
        for (var i = 1; i < rates.Count; i++)
        {
            last = last.After(rates[i - 1], rates[i], decay, ref momentum);
            areas.Add(last);
        }
        return areas;
    }

    /// <summary>
    /// The areas of a schedule after some numbers of steps, which ascend. The rates of the warm-up count in S1; S2 starts at its end, where
    /// the rate is at its peak.
    /// </summary>
    public static IReadOnlyList<AnnealingAreas> Of(LearningRateSchedule schedule, IReadOnlyList<double> steps, double decay)
    {
        var areas = new List<AnnealingAreas>(steps.Count);
        var (now, before, momentum, rate) = (new AnnealingAreas(), new AnnealingAreas(), 0.0, schedule.Peak);
        var done = 0L;
        foreach (var wanted in steps)
        {
            for (; done < wanted; done++)
            {
                before = now;
                var next = schedule.At(done);
                now = done < schedule.WarmUp ? now with { Forward = now.Forward + next } : now.After(rate, next, decay, ref momentum);
                rate = done < schedule.WarmUp ? schedule.Peak : next;
            }
            areas.Add(Between(before, now, 1 - (done - wanted))); // between two steps where it is not a whole one
        }
        return areas;
    }

    private AnnealingAreas After(double before, double rate, double decay, ref double momentum)
    {
        momentum = decay * momentum + before - rate;
        return new AnnealingAreas(Forward + rate, Annealing + momentum);
    }

    private static AnnealingAreas Between(AnnealingAreas a, AnnealingAreas b, double share) =>
        new(a.Forward + (b.Forward - a.Forward) * share, a.Annealing + (b.Annealing - a.Annealing) * share);
}
