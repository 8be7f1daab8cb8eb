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
            context.AddFailure($"a schedule has five fields (minute hour day month weekday); '{schedule}' has {fields}");
        else if (Problem(schedule) is { } problem)
            context.AddFailure($"the schedule '{schedule}' cannot be read: {problem} Write *, a number, a range a-b, a list a,b or a step */n in each field");
        else if (CronExpression.Parse(schedule).GetNextOccurrence(DateTime.UnixEpoch) is null)
            context.AddFailure($"the schedule '{schedule}' never comes: no such month has that day");
    });

    /// <summary>What is wrong with a schedule, with the name of the field; null when nothing is.</summary>
    private static string? Problem(string schedule)
    {
        try
        {
            CronExpression.Parse(schedule);
            return null;
        }
        catch (CronFormatException e)
        {
            return e.Message.Replace("The given cron expression has an invalid format. ", "", StringComparison.Ordinal);
        }
    }
}
