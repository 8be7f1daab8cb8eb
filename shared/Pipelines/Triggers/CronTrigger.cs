using Cronos;
using Espalier.Pipelines.Options;
using FluentValidation;

namespace Espalier.Pipelines.Triggers;

[Trigger("cron", "A time of a schedule is reached.", ShortForm = "schedule")]
internal sealed record CronTrigger : TriggerSettings
{
    [Option("five fields: minute, hour, day of month, month, day of week, in UTC", Required = true)]
    public string Schedule { get; init; } = "";
}

/// <summary>Checks a schedule.</summary>
internal sealed class CronTriggerValidator : AbstractValidator<CronTrigger>
{
    private const int Fields = 5;

    public CronTriggerValidator() => RuleFor(trigger => trigger.Schedule).Custom((schedule, context) =>
    {
        var fields = schedule.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
        if (fields != Fields)
        {
            context.AddFailure($"a schedule has five fields (minute hour day month weekday); '{schedule}' has {fields}");
            return;
        }
        try
        {
            _ = CronExpression.Parse(schedule);
        }
        catch (CronFormatException exception)
        {
            context.AddFailure($"'{schedule}' is not a schedule: {exception.Message}");
        }
    });
}
