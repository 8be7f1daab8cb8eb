using System.Text.Json;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>A version of a registered pipeline as the database holds it.</summary>
internal sealed class PipelineRow
{
    public string Name { get; init; } = "";
    public int Version { get; init; }
    public string FileName { get; init; } = "";
    public string Yaml { get; init; } = "";
    public string Owner { get; init; } = "";
    public long CreatedAt { get; init; }
}

/// <summary>A trigger as the database holds it.</summary>
internal class TriggerRow
{
    public string Name { get; init; } = "";
    public string Pipeline { get; init; } = "";
    public string Kind { get; init; } = "";
    public string Settings { get; init; } = "{}";
    public int IsEnabled { get; init; }
    public string Paused { get; init; } = "";
    public int Failures { get; init; }
    public int PauseAfter { get; init; }
    public long AfterEvent { get; init; }
    public long? NextAt { get; init; }
    public long CreatedAt { get; init; }
    public string Trouble { get; init; } = "";
    public long? TroubleSince { get; init; }


    /// <summary>Why it starts nothing at the moment; null when it is on.</summary>
    public string? Off => IsEnabled == 0 ? $"The trigger is off: espalier trigger enable {Name}." : Paused.Length > 0 ? Paused : null;

    /// <summary>Its settings.</summary>
    /// <exception cref="InvalidDataException">A newer program wrote it, or it is damaged.</exception>
    public TriggerSettings Read()
    {
        if (TriggerKind.Find(Kind) is not { } kind)
            throw new InvalidDataException($"Trigger '{Name}' is of the kind '{Kind}', which this program does not know.");
        try
        {
            return kind.Read(JsonSerializer.Deserialize<JsonElement>(Settings));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"The settings of trigger '{Name}' cannot be read: add its pipeline again. {e.Message}", e);
        }
    }
}

/// <summary>What a trigger watches.</summary>
internal static class WatchRows
{
    /// <summary>Its settings, or null when it watches nothing or cannot be read.</summary>
    public static IWatchSettings? FindWatch(this TriggerRow row)
    {
        try
        {
            return row.Read() as IWatchSettings;
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }
}

/// <summary>An event as the database holds it.</summary>
internal sealed class EventRow
{
    public long Id { get; init; }
    public string EventKey { get; init; } = "";
    public string Kind { get; init; } = "";
    public string? Target { get; init; }
    public string Fields { get; init; } = "{}";
    public string Chain { get; init; } = "[]";
    public long At { get; init; }

    public EventFields ReadFields() => new(JsonSerializer.Deserialize<JsonElement>(Fields));

    public IReadOnlyList<string> ReadChain() => JsonColumn.Read<List<string>>(Chain) ?? [];
}

/// <summary>What became of an event at a trigger.</summary>
public enum FiringState
{
    /// <summary>The event is not for the trigger.</summary>
    NoMatch,

    /// <summary>It is, and no run may be started.</summary>
    Refused,

    /// <summary>It is, and something else covers it: a later event, a run under way, or one for the same key.</summary>
    Skipped,

    /// <summary>A run will be started.</summary>
    Waiting,

    /// <summary>A run was started.</summary>
    Started,
}

/// <summary>What a trigger made of an event, as the database holds it.</summary>
internal sealed class FiringRow
{
    public long Id { get; init; }
    public string TriggerName { get; init; } = "";
    public long EventId { get; init; }
    public string State { get; init; } = "";
    public string Reason { get; init; } = "";
    public string Parameters { get; init; } = "{}";
    public string? DedupeKey { get; init; }
    public string? ConcurrencyGroup { get; init; }
    public int IsQueued { get; init; }
    public int Attempts { get; init; }
    public long At { get; init; }
    public string? RunId { get; init; }
    public string? RunName { get; init; }
    public long RunOrdinal { get; init; }

    public FiringState Current => EnumText.Parse<FiringState>(State);

    public IReadOnlyDictionary<string, string> ReadParameters() => JsonColumn.Read<Dictionary<string, string>>(Parameters) ?? [];
}
