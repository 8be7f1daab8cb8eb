using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Triggers;

/// <summary>The end of a run.</summary>
internal abstract record RunEndedTrigger : TriggerSettings
{
    [Option("Name of the pipeline that must match; * stands for any text.")]
    public string Pipeline { get; init; } = "*";

    public override string? Mismatch(EventFields fields) => Compare(fields, "pipeline", Pipeline);
}

[Trigger("run.succeeded", "A run ends well.", Fields = ["pipeline", "version", "run", "trigger"])]
internal sealed record RunSucceededTrigger : RunEndedTrigger;

[Trigger("run.failed", "A run ends with a failure.", Fields = ["pipeline", "version", "run", "trigger", "message"])]
internal sealed record RunFailedTrigger : RunEndedTrigger;

[Trigger("run.cancelled", "A run is cancelled.", Fields = ["pipeline", "version", "run", "trigger", "message"])]
internal sealed record RunCancelledTrigger : RunEndedTrigger;
