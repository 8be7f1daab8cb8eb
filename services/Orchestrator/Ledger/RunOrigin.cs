using Espalier.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>Where a run of a registered pipeline comes from.</summary>
internal sealed record RunOrigin
{
    /// <summary>The registered pipeline.</summary>
    public required string Pipeline { get; init; }

    /// <summary>Its version.</summary>
    public required int Version { get; init; }

    /// <summary>In whose name it runs.</summary>
    public required string Owner { get; init; }

    /// <summary>The trigger that started it; null when somebody did.</summary>
    public string? Trigger { get; init; }

    /// <summary>Number of the event; null when somebody started it.</summary>
    public long? Event { get; init; }

    /// <summary>Kind of the event.</summary>
    public string? EventKind { get; init; }

    /// <summary>Triggers that led here, oldest first; the last is <see cref="Trigger"/>.</summary>
    public IReadOnlyList<string> Chain { get; init; } = [];

    /// <summary>Runs of one group are not under way together; null for none.</summary>
    public string? Group { get; init; }

    /// <summary>Writes it with the run.</summary>
    public Task InsertAsync(DatabaseTransaction transaction, string runId) => transaction.ExecuteAsync(
        """
        insert into run_origin (run_id, pipeline, version, owner, trigger_name, event_id, event_kind, chain, concurrency_group)
        values (@runId, @Pipeline, @Version, @Owner, @Trigger, @Event, @EventKind, @chain, @Group)
        """,
        new { runId, Pipeline, Version, Owner, Trigger, Event, EventKind, chain = JsonColumn.Write(Chain), Group });
}

/// <summary>Why a run exists.</summary>
/// <param name="Trigger">The trigger that started it.</param>
/// <param name="Event">Number of the event, as <c>espalier trigger events</c> shows it.</param>
/// <param name="Kind">Kind of the event.</param>
/// <param name="Depth">How many triggers led here, this one included.</param>
/// <param name="Chain">The triggers that led here, oldest first.</param>
public sealed record RunCause(string Trigger, long Event, string Kind, int Depth, IReadOnlyList<string> Chain);

/// <summary>The origin of a run as the database holds it.</summary>
internal sealed class RunOriginRow
{
    public string RunId { get; init; } = "";
    public string Pipeline { get; init; } = "";
    public int Version { get; init; }
    public string Owner { get; init; } = "";
    public string? TriggerName { get; init; }
    public long? EventId { get; init; }
    public string? EventKind { get; init; }
    public string Chain { get; init; } = "[]";
    public string? ConcurrencyGroup { get; init; }

    public IReadOnlyList<string> ReadChain() => JsonColumn.Read<List<string>>(Chain) ?? [];

    /// <summary>Null when somebody started the run.</summary>
    public RunCause? Cause => TriggerName is null || EventId is not { } number
        ? null
        : new RunCause(TriggerName, number, EventKind ?? "", ReadChain().Count, ReadChain());
}
