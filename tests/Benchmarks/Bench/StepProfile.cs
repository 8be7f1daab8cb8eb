namespace Espalier.Bench;

/// <summary>Where the time of a training step goes.</summary>
/// <param name="StepSeconds">One step, on average.</param>
/// <param name="Parts">Seconds of each part, largest first; they sum to the step.</param>
internal sealed record StepProfile(double StepSeconds, IReadOnlyList<KeyValuePair<string, double>> Parts)
{
    /// <summary>Runs steps of ours in this process for about three seconds.</summary>
    public static StepProfile Of(BenchShape shape)
    {
        using var work = new BenchWork(shape, BenchWorkKind.Train);
        work.Step();
        var steps = (int)Math.Clamp(3 / work.Step().Seconds, 2, 200);
        work.Decoder.Profile = [];
        var total = Enumerable.Range(0, steps).Sum(_ => work.Step().Seconds);
        var parts = work.Decoder.Profile.ToDictionary(p => p.Key, p => p.Value.TotalSeconds / steps);
        parts["everything else"] = total / steps - parts.Values.Sum();
        return new StepProfile(total / steps, [.. parts.OrderByDescending(p => p.Value)]);
    }
}
