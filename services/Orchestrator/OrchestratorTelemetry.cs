using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Espalier.Orchestrator;

/// <summary>Spans and metrics of the orchestrator. Nothing is collected without a listener.</summary>
internal static class OrchestratorTelemetry
{
    /// <summary>Name of the span source and of the meter.</summary>
    public const string Name = "Espalier.Orchestrator";

    /// <summary>Spans: <c>run submit</c>, which is the root of a run's trace, <c>step claim</c>, <c>step finish</c>, <c>step fail</c>.</summary>
    public static readonly ActivitySource Source = new(Name);

    private static readonly Meter Meter = new(Name);

    private static readonly Counter<long> Attempts = Meter.CreateCounter<long>("espalier.step.attempts", "{attempt}", "Attempts that ended, by outcome.");
    private static readonly Counter<long> LeaseLosses = Meter.CreateCounter<long>("espalier.lease.losses", "{lease}", "Leases that were not renewed in time.");
    private static readonly Counter<long> Bytes = Meter.CreateCounter<long>("espalier.step.output", "By", "Logical bytes of what steps made.");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("espalier.step.duration", "s",
        "Wall time of attempts that gave a result.");

    private static readonly Histogram<double> TriggerDelay = Meter.CreateHistogram<double>("espalier.trigger.delay", "s",
        "Time from an event to the run that it starts.");

    /// <summary>Registers a gauge whose values are read when metrics are collected.</summary>
    public static void Observe(string name, string unit, string description, Func<IEnumerable<Measurement<long>>> read) =>
        Meter.CreateObservableGauge(name, read, unit, description);

    /// <summary>An attempt gave a result.</summary>
    public static void Finished(TimeSpan duration, long outputBytes)
    {
        Attempts.Add(1, new KeyValuePair<string, object?>("outcome", "succeeded"));
        Duration.Record(duration.TotalSeconds);
        Bytes.Add(outputBytes);
    }

    /// <summary>An attempt ended without a result.</summary>
    public static void Failed(string outcome) => Attempts.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    /// <summary>A lease ran out.</summary>
    public static void LeaseLost(string kind) => LeaseLosses.Add(1, new KeyValuePair<string, object?>("kind", kind));

    /// <summary>An event started a run.</summary>
    public static void Triggered(string kind, TimeSpan delay) => TriggerDelay.Record(delay.TotalSeconds, new KeyValuePair<string, object?>("kind", kind));

    /// <summary>Starts a span of a run's trace, or of its own when the run has none.</summary>
    public static Activity? Start(string name, Guid runId, string step, string? parent)
    {
        // A message that carries the run's trace already says more exactly where the span belongs.
        if (parent is not null && Activity.Current is { } current && parent.Contains(current.TraceId.ToHexString(), StringComparison.Ordinal))
            parent = null;
        var activity = parent is not null && ActivityContext.TryParse(parent, null, isRemote: true, out var context)
            ? Source.StartActivity(name, ActivityKind.Server, context)
            : Source.StartActivity(name, ActivityKind.Server);
        return activity?.SetTag("run", runId).SetTag("step", step);
    }
}
