using Cronos;
using Espalier.Pipelines.Options;
using FluentValidation;

namespace Espalier.Pipelines.Triggers;

/// <summary>What happens to times that came while the platform was down.</summary>
public enum CatchUp
{
    /// <summary>They are passed over.</summary>
    None,

    /// <summary>One run is started for the last of them.</summary>
    Last,

    /// <summary>A run is started for each of the last 100.</summary>
    All,
}

/// <summary>A trigger that time starts.</summary>
public abstract record TimedTrigger : TriggerSettings
{
    /// <summary>Zone in which the schedule is read, by its IANA name.</summary>
    /// <value>UTC</value>
    [Option("Time zone of the schedule, such as Europe/Berlin.")]
    public string TimeZone { get; init; } = "UTC";

    /// <summary>What happens to times that came while the platform was down.</summary>
    /// <value>none</value>
    [Option("Times that came while the platform was down: none is made up for, only the last, or all (at most 100).")]
    public CatchUp CatchUp { get; init; } = CatchUp.None;

    /// <summary>The schedule: minute, hour, day of month, month, day of week.</summary>
    public abstract string Expression();

    /// <summary>The first time of the schedule after another; null when there is none.</summary>
    public DateTimeOffset? Next(DateTimeOffset after) =>
        CronExpression.Parse(Expression()).GetNextOccurrence(after, TimeZoneInfo.FindSystemTimeZoneById(TimeZone));
}

/// <summary>What is wrong with schedules.</summary>
internal static class Schedules
{
    private const int Fields = 5;

    /// <summary>Says what is wrong with a schedule, if anything is.</summary>
    public static void Check<T>(string schedule, ValidationContext<T> context)
    {
        var fields = schedule.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
        if (fields != Fields)
            context.AddFailure($"a schedule has five fields (minute hour day month weekday); '{schedule}' has {fields}");
        else if (Problem(schedule) is { } problem)
            context.AddFailure($"the schedule '{schedule}' cannot be read: {problem} Write *, a number, a range a-b, a list a,b or a step */n in each field");
        else if (CronExpression.Parse(schedule).GetNextOccurrence(DateTime.UnixEpoch) is null)
            context.AddFailure($"the schedule '{schedule}' never comes: no such month has that day");
    }

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

/// <summary>Checks the zone of a schedule.</summary>
internal sealed class TimedTriggerValidator : AbstractValidator<TimedTrigger>
{
    public TimedTriggerValidator() => RuleFor(trigger => trigger.TimeZone).Must(zone => TimeZoneInfo.TryFindSystemTimeZoneById(zone, out _))
        .WithMessage(trigger => $"'time-zone' must be a zone that this machine knows, such as UTC or Europe/Berlin; found '{trigger.TimeZone}'");
}
