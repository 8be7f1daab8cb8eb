using System.Text.Json;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Triggers;

/// <summary>Something that happened, before it is written.</summary>
internal sealed record HappenedEvent
{
    /// <summary>Its identity: an event that is told twice is written once.</summary>
    public required string Key { get; init; }

    /// <summary>Name of its kind.</summary>
    public required string Kind { get; init; }

    /// <summary>What it says.</summary>
    public required object Fields { get; init; }

    /// <summary>The run that made it happen; its chain goes on here.</summary>
    public Guid? Run { get; init; }

    /// <summary>The one trigger that it is for; null for every trigger of the kind.</summary>
    public string? Target { get; init; }
}

/// <summary>Writes events into the ledger, each once.</summary>
internal static class TriggerEvents
{
    /// <summary>Writes an event; false when it was written before.</summary>
    public static async Task<bool> AddEventAsync(this DatabaseTransaction transaction, HappenedEvent happened)
    {
        var chain = happened.Run is { } run
            ? await transaction.FindAsync<string>("select chain from run_origin where run_id = @run", new { run = run.ToString() }).ConfigureAwait(false)
            : null;
        // An event that no trigger asks for is kept for replays, and nobody has to look at it.
        var added = await transaction.ExecuteAsync(
            """
            insert into trigger_event (event_key, kind, target, fields, chain, at, is_open)
            values (@Key, @Kind, @Target, @fields, @chain, @Now,
                (select case when exists (select 1 from pipeline_trigger t where t.kind = @Kind) then 1 else 0 end))
            on conflict (event_key) do nothing
            """,
            new
            {
                happened.Key, happened.Kind, happened.Target, fields = JsonColumn.Write(happened.Fields), chain = chain ?? "[]", transaction.Now,
            }).ConfigureAwait(false);
        return added == 1;
    }

    /// <summary>Writes the end of a run as an event, and counts failures of its trigger, in the transaction that ends it.</summary>
    public static async Task RecordEndAsync(this DatabaseTransaction transaction, RunRow run)
    {
        var kind = run.Current switch
        {
            RunState.Succeeded => EventKinds.RunSucceeded,
            RunState.Failed => EventKinds.RunFailed,
            RunState.Cancelled => EventKinds.RunCancelled,
            _ => throw new InvalidOperationException($"Run {run.Id} is {run.State}, which is no end."),
        };
        var origin = await transaction.FindAsync<RunOriginRow>("select * from run_origin where run_id = @Id", new { run.Id }).ConfigureAwait(false);
        var (version, trigger) = (origin?.Version ?? 0, origin?.TriggerName ?? "");
        await transaction.AddEventAsync(new HappenedEvent
        {
            Key = $"run/{Guid.CreateVersion7():n}", // a run that is resumed ends again
            Kind = kind,
            Fields = new { pipeline = run.Name, version, run = run.Id, trigger, message = LedgerText.Clean(run.Message) },
            Run = run.RunId,
        }).ConfigureAwait(false);
        if (origin?.TriggerName is { } name && run.Current != RunState.Cancelled) // somebody's decision says nothing about the pipeline
            await CountFailuresAsync(transaction, name, run.Current == RunState.Failed, run.Id).ConfigureAwait(false);
    }

    /// <summary>Writes that a step made a dataset, in the transaction that takes its result; the same dataset again is no news.</summary>
    public static Task RecordDatasetAsync(this DatabaseTransaction transaction, StepRow step, ManifestRef dataset)
    {
        var options = JsonColumn.Read<PlannedStep>(step.Plan)?.Options;
        var source = options is { ValueKind: JsonValueKind.Object } o ? SourceOf(o) : "";
        return transaction.AddEventAsync(new HappenedEvent
        {
            Key = $"dataset/{dataset.Root.Hex}",
            Kind = EventKinds.DatasetAdded,
            Fields = new { dataset = source, root = dataset.Root.Hex, run = step.RunId, step = step.Name },
            Run = step.Run,
        });
    }

    private static string SourceOf(JsonElement options)
    {
        if (options.TryGetProperty("source", out var text) && text.ValueKind == JsonValueKind.String)
            return text.GetString()!;
        return options.TryGetProperty("sources", out var list) && list.ValueKind == JsonValueKind.Array
            ? string.Join(" + ", list.EnumerateArray().Select(source => source.GetProperty("from").GetString()))
            : "";
    }

    /// <summary>Counts runs, or attempts to start one, that failed in a row; too many pause the trigger.</summary>
    public static async Task CountFailuresAsync(DatabaseTransaction transaction, string trigger, bool isFailed, string last)
    {
        await transaction.ExecuteAsync(
            "update pipeline_trigger set failures = case when @isFailed then failures + 1 else 0 end where name = @trigger",
            new { trigger, isFailed }).ConfigureAwait(false);
        if (!isFailed)
            return;
        var row = await transaction.FindAsync<TriggerRow>("select * from pipeline_trigger where name = @trigger", new { trigger }).ConfigureAwait(false);
        if (row is null || row.Failures < row.PauseAfter || row.Paused.Length > 0)
            return;
        var paused = $"Paused after {row.Failures} failures in a row; the last was {last}. "
            + $"Find out why, then switch it on again: espalier trigger enable {trigger}.";
        await transaction.ExecuteAsync("update pipeline_trigger set paused = @paused where name = @trigger", new { trigger, paused }).ConfigureAwait(false);
    }
}

/// <summary>Names of the kinds of events that the orchestrator writes.</summary>
internal static class EventKinds
{
    public const string ModelRegistered = "model.registered", AliasMoved = "alias.moved", GateDecided = "gate.decided";
    public const string RunSucceeded = "run.succeeded", RunFailed = "run.failed", RunCancelled = "run.cancelled", DatasetAdded = "dataset.added";
    public const string Webhook = "webhook", Watch = "watch";
}
