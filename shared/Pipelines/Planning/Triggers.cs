using System.Text.Json;
using Cronos;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Text;
using FluentValidation;

namespace Espalier.Pipelines.Planning;

/// <summary>One entry under <c>on</c>: what starts the pipeline by itself.</summary>
/// <param name="Event"><c>model.registered</c>, <c>alias.moved</c>, <c>dataset.added</c>, <c>cron</c> or <c>webhook</c>.</param>
/// <param name="Settings">Filters and guards, normalised.</param>
public sealed record PlannedTrigger(string Event, JsonElement Settings);

/// <summary>Guards that every trigger has.</summary>
internal abstract record TriggerSettings
{
    [Option("Longest chain of pipelines that start each other.", Min = 1, Max = 16)]
    public int MaxDepth { get; init; } = 4;

    [Option("Events with the same key start the pipeline once.")]
    public string? DedupeKey { get; init; }
}

internal sealed record ModelRegisteredTrigger : TriggerSettings
{
    [Option("Model that must match; * stands for any text.")]
    public string Model { get; init; } = "*";
}

internal sealed record AliasMovedTrigger : TriggerSettings
{
    [Option("Model that must match; * stands for any text.")]
    public string Model { get; init; } = "*";

    [Option("Alias that must match; * stands for any text.")]
    public string Alias { get; init; } = "*";
}

internal sealed record DatasetAddedTrigger : TriggerSettings
{
    [Option("Dataset that must match; * stands for any text.")]
    public string Dataset { get; init; } = "*";
}

internal sealed record CronTrigger : TriggerSettings
{
    [Option("five fields: minute, hour, day of month, month, day of week, in UTC", Required = true)]
    public string Schedule { get; init; } = "";
}

internal sealed record WebhookTrigger : TriggerSettings
{
    [Option("name of the secret that signs the request", Required = true)]
    public string Secret { get; init; } = "";
}

/// <summary>Checks the five fields of a schedule.</summary>
internal sealed class CronTriggerValidator : AbstractValidator<CronTrigger>
{
    private const int Fields = 5;

    public CronTriggerValidator() => RuleFor(trigger => trigger.Schedule).Custom((schedule, context) =>
    {
        var parts = schedule.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length != Fields)
            context.AddFailure($"a schedule has five fields (minute hour day month weekday); '{schedule}' has {parts.Length}");
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

/// <summary>Reads the <c>on</c> block.</summary>
internal static class TriggerReader
{
    private static readonly Dictionary<string, Type> Events = new()
    {
        ["model.registered"] = typeof(ModelRegisteredTrigger),
        ["alias.moved"] = typeof(AliasMovedTrigger),
        ["dataset.added"] = typeof(DatasetAddedTrigger),
        ["cron"] = typeof(CronTrigger),
        ["webhook"] = typeof(WebhookTrigger),
    };

    public static IReadOnlyList<PlannedTrigger> Read(PlacedNode? node, ProblemList problems)
    {
        if (node is null)
            return [];
        if (node.Kind != NodeKind.Map)
        {
            problems.Add(node, $"'on' must be a map from events to filters; found {node.Describe()}");
            return [];
        }
        return [.. node.Entries.Select(entry => ReadTrigger(entry, problems)).OfType<PlannedTrigger>()];
    }

    private static PlannedTrigger? ReadTrigger(PlacedEntry entry, ProblemList problems)
    {
        if (!Events.TryGetValue(entry.Key, out var type))
        {
            problems.Add(entry, $"unknown event '{entry.Key}': {NearestWord.Hint(entry.Key, Events.Keys)}");
            return null;
        }
        var settings = OptionReader.Read(OptionSchema.For(type), Expand(entry), problems, type);
        return new PlannedTrigger(entry.Key, settings.ToElement());
    }

    /// <summary><c>cron: "0 3 * * *"</c> is short for <c>cron: { schedule: ... }</c>.</summary>
    private static PlacedNode Expand(PlacedEntry entry) => entry is { Key: "cron", Value.Kind: NodeKind.Text }
        ? entry.Value with { Kind = NodeKind.Map, Entries = [new PlacedEntry("schedule", entry.Value.Line, entry.Value.Column, entry.Value)] }
        : entry.Value;
}
