using Espalier.Pipelines.Options;
using FluentValidation;

namespace Espalier.Pipelines.Triggers;

[Trigger("schedule", "A time of a schedule is reached.", ShortForm = "cron", Fields = ["time", "date"])]
internal sealed record ScheduleTrigger : TimedTrigger
{
    [Option("five fields: minute, hour, day of month, month, day of week", Required = true)]
    public string Cron { get; init; } = "";

    public override string Expression() => Cron;
}

/// <summary>Checks a schedule.</summary>
internal sealed class ScheduleTriggerValidator : AbstractValidator<ScheduleTrigger>
{
    public ScheduleTriggerValidator() => RuleFor(trigger => trigger.Cron).Custom(Schedules.Check);
}
