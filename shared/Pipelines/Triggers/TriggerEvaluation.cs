using Espalier.Contracts;
using Espalier.Pipelines.Expressions;

namespace Espalier.Pipelines.Triggers;

/// <summary>What a trigger makes of one event.</summary>
public enum TriggerAnswer
{
    /// <summary>The event is not for it.</summary>
    NoMatch,

    /// <summary>The event is for it, or cannot be read, and no run may be started.</summary>
    Refused,

    /// <summary>The event starts a run.</summary>
    Match,
}

/// <summary>What a trigger makes of one event, and why.</summary>
/// <param name="Answer">What.</param>
/// <param name="Reason">Why no run is started; empty when one is.</param>
public sealed record TriggerVerdict(TriggerAnswer Answer, string Reason = "")
{
    /// <summary>Parameters of the run.</summary>
    public IReadOnlyDictionary<string, string> Parameters { get; init; } = new Dictionary<string, string>();

    /// <summary>Key that starts one run only; null for the event's own identity.</summary>
    public string? DedupeKey { get; init; }

    /// <summary>Group of runs that are not under way together; null for none.</summary>
    public string? Group { get; init; }
}

/// <summary>
/// Decides what a trigger makes of an event, from the two alone: the same for an event that happens and for one that is replayed. What
/// depends on other runs (quota, concurrency, debounce) is decided where these are known.
/// </summary>
public static class TriggerEvaluation
{
    /// <summary>Decides.</summary>
    /// <param name="settings">The trigger.</param>
    /// <param name="fields">What the event says.</param>
    /// <param name="chain">Triggers that led to the event, oldest first.</param>
    /// <param name="name">Name of the trigger.</param>
    public static TriggerVerdict Evaluate(TriggerSettings settings, EventFields fields, IReadOnlyList<string> chain, string name)
    {
        try
        {
            if (settings.Mismatch(fields) is { } mismatch)
                return new TriggerVerdict(TriggerAnswer.NoMatch, mismatch);
            if (settings.When is { } filter && !EventFilter.Parse(filter).IsMet(fields.Find))
                return new TriggerVerdict(TriggerAnswer.NoMatch, $"when: {filter}: is false");
            if (chain.Count >= settings.MaxDepth)
                return new TriggerVerdict(TriggerAnswer.Refused, TooDeep(settings, [.. chain, name]));
            return new TriggerVerdict(TriggerAnswer.Match)
            {
                Parameters = settings.Params.ToDictionary(p => p.Key, p => ReadParameter(p.Key, p.Value, fields)),
                DedupeKey = settings.DedupeKey is { } key ? EventTemplate.Fill("dedupe-key", key, fields) : null,
                Group = settings.Concurrency is { } block ? EventTemplate.Fill("concurrency.group", block.Group, fields) : null,
            };
        }
        catch (Exception e) when (e is UserInputException or ExpressionException)
        {
            return new TriggerVerdict(TriggerAnswer.Refused, e.Message);
        }
    }

    /// <summary>The value of a parameter. What the event says never becomes a list, a map or a reference.</summary>
    private static string ReadParameter(string name, string template, EventFields fields)
    {
        var value = EventTemplate.Fill($"params.{name}", template, fields);
        if (EventTemplate.Read(template).Paths.Count == 0)
            return value;
        return value is not ['[' or '{', ..] && !value.Contains("${", StringComparison.Ordinal)
            ? value
            : throw new UserInputException(
                $"'params.{name}' would be {Shorten(value)}: a value of an event is a plain value, not a list, a map or a reference.");
    }

    private static string TooDeep(TriggerSettings settings, IReadOnlyList<string> chain) =>
        $"The chain of pipelines that start each other would be {chain.Count} long, and max-depth is {settings.MaxDepth}: {string.Join(" → ", chain)}. "
            + "Break the loop with a 'when', or raise max-depth.";

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..57] + "...";
}
