using Espalier.Contracts;
using Espalier.Database;
using Espalier.Messaging;

namespace Espalier.Orchestrator.Ledger;

/// <summary>Messages and log lines that belong to a transaction: they exist if and only if it commits.</summary>
internal static class LedgerMessages
{
    /// <summary>The ledger's outbox.</summary>
    public static readonly OutboxTable Outbox = new("outbox");

    /// <summary>Message types that the outbox carries, by the name in its table.</summary>
    public static readonly IReadOnlyDictionary<string, Type> Types =
        new[] { typeof(StepReady), typeof(StepStateChanged), typeof(RunStateChanged) }.ToDictionary(t => t.Name);

    /// <summary>Sends a hint that a step can be claimed.</summary>
    public static Task HintAsync(this DatabaseTransaction transaction, StepRow step, long notBefore) =>
        transaction.EnqueueAsync(
            EndpointNames.Work(step.Kind, step.Device), new StepReady { Kind = step.Kind, Device = step.Device }, notBefore);

    /// <summary>Publishes and logs a step's new state.</summary>
    public static async Task RecordChangeAsync(this DatabaseTransaction transaction, string runId, string step, StepState state, int attempt, string message)
    {
        var changed = new StepStateChanged(Guid.Parse(runId), step, state, attempt, message);
        await transaction.LogAsync(runId, step, changed).ConfigureAwait(false);
        await transaction.EnqueueAsync("", changed, 0).ConfigureAwait(false);
    }

    /// <summary>Publishes and logs a run's new state.</summary>
    public static async Task RecordChangeAsync(this DatabaseTransaction transaction, RunRow run)
    {
        var changed = new RunStateChanged(run.RunId, run.Name, run.Current, run.Message);
        await transaction.LogAsync(run.Id, "", changed).ConfigureAwait(false);
        await transaction.EnqueueAsync("", changed, 0).ConfigureAwait(false);
    }

    /// <summary>Appends a line to a run's log.</summary>
    public static Task LogAsync<T>(this DatabaseTransaction transaction, string runId, string step, T body) =>
        transaction.ExecuteAsync(
            "insert into event (run_id, at, type, step, body) values (@runId, @at, @type, @step, @body)",
            new { runId, at = transaction.Now, type = typeof(T).Name, step, body = JsonColumn.Write(body) });

    private static Task EnqueueAsync<T>(this DatabaseTransaction transaction, string destination, T message, long notBefore) =>
        Outbox.AddAsync(transaction, destination, typeof(T).Name, JsonColumn.Write(message), notBefore);
}
