using Espalier.Pipelines.Options;
using FluentValidation;

namespace Espalier.Pipelines.Triggers;

[Trigger("cron", "A time of a schedule is reached; another way to write 'schedule'.", ShortForm = "schedule", Fields = ["time", "date"])]
internal sealed record CronTrigger : TimedTrigger
{
    [Option("five fields: minute, hour, day of month, month, day of week", Required = true)]
    public string Schedule { get; init; } = "";

    public override string Expression() => Schedule;
}

/// <summary>Checks a schedule.</summary>
internal sealed class CronTriggerValidator : AbstractValidator<CronTrigger>
{
    public CronTriggerValidator() => RuleFor(trigger => trigger.Schedule).Custom(Schedules.Check);
}
