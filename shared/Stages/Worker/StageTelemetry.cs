using System.Diagnostics;
using System.Diagnostics.Metrics;
using Espalier.Contracts;

namespace Espalier.Stages.Worker;

/// <summary>Spans and metrics of workers. Nothing is collected unless somebody listens.</summary>
internal static class StageTelemetry
{
    /// <summary>Name of the span source and of the meter.</summary>
    public const string Name = "Espalier.Stages";

    /// <summary>Spans: <c>step attempt</c>, in it <c>step work</c> and <c>step commit</c>, and in the work <c>stage</c>.</summary>
    public static readonly ActivitySource Source = new(Name);

    private static readonly Meter Meter = new(Name);

    private static readonly Histogram<double> WorkDuration = Meter.CreateHistogram<double>(
        "espalier.stage.duration", "s", "Wall time of the work of an attempt, by kind.");
    private static readonly UpDownCounter<long> Running = Meter.CreateUpDownCounter<long>("espalier.stage.running", "{step}", "Attempts that run now.");

    /// <summary>Starts the span of an attempt, in the trace of its run.</summary>
    public static Activity? Start(StepAssignment assignment)
    {
        var activity = ActivityContext.TryParse(assignment.Trace, null, isRemote: true, out var parent)
            ? Source.StartActivity("step attempt", ActivityKind.Consumer, parent)
            : Source.StartActivity("step attempt", ActivityKind.Consumer);
        return activity?.SetTag("run", assignment.Step.RunId).SetTag("step", assignment.Step.Name)
            .SetTag("kind", assignment.Kind).SetTag("attempt", assignment.Fence);
    }

    /// <summary>The span of the work in the process that does it; in a process of its own it hangs below the worker's span.</summary>
    public static Activity? StartWork(StepAssignment assignment) =>
        (ActivityContext.TryParse(assignment.Trace, null, isRemote: true, out var parent)
            ? Source.StartActivity("stage", ActivityKind.Internal, parent)
            : Source.StartActivity("stage"))?.SetTag("step", assignment.Step.Name).SetTag("kind", assignment.Kind).SetTag("process.id", Environment.ProcessId);

    /// <summary>An attempt begins or ends.</summary>
    public static void Count(StepAssignment assignment, int change) => Running.Add(change, new KeyValuePair<string, object?>("kind", assignment.Kind));

    /// <summary>The work of an attempt ended.</summary>
    public static void Worked(StepAssignment assignment, TimeSpan duration) =>
        WorkDuration.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("kind", assignment.Kind));
}
