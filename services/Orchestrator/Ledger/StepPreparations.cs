using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Scheduling;
using Espalier.Orchestrator.StateMachine;
using Espalier.Pipelines.Resolution;

namespace Espalier.Orchestrator.Ledger;

/// <summary>Writes what the scheduler found out about steps whose needs are done.</summary>
internal sealed class StepPreparations(LedgerDatabase database, StageCatalog stages, Wakeups wakeups)
{
    /// <summary>Steps whose needs are done, whose kind a live worker offers, and which are not put off; oldest runs first.</summary>
    public Task<List<StepRow>> ListAsync(int limit, CancellationToken cancellationToken) =>
        database.ReadAsync(async connection => (await connection.QueryAsync<StepRow>(
            $"""
            select * from step where state = 'waiting' and waiting_on = 0 and same_as is null and not_before <= @Now and {StageCatalog.IsOffered}
             order by id limit @limit
            """,
            new { limit, database.Now, alive = stages.Alive(database.Now) }).ConfigureAwait(false)).AsList(), cancellationToken);

    /// <summary>The steps that a step needs, as they ended.</summary>
    public Task<List<StepRow>> NeedsOfAsync(StepRow step, CancellationToken cancellationToken) =>
        database.NeedsOfAsync(step.RunId, step.Name, cancellationToken);

    /// <summary>The step can be claimed; or, when another step with the same key is under way, it waits for that one.</summary>
    /// <param name="prepared">The step as it was read.</param>
    /// <param name="key">Its key.</param>
    /// <param name="offer">The code that the key was computed for.</param>
    /// <param name="inputs">What it reads.</param>
    /// <param name="damage">Why an earlier result cannot be used; null when there is none.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <param name="memoryBytes">Peak memory that it will need; null when that is not known.</param>
    public Task ReadyAsync(
        StepRow prepared, Digest key, string offer, IReadOnlyList<StepInput> inputs, string? damage, CancellationToken cancellationToken,
        long? memoryBytes = null) =>
        ApplyAsync(prepared, async (transaction, run, step) =>
        {
            var twin = await transaction.FindAsync<StepRow>(
                "select * from step where step_key = @key and state in ('ready', 'running') limit 1", new { key = key.Hex }).ConfigureAwait(false);
            if (twin is not null)
            {
                var message = $"Waits for step '{twin.Name}' of run {twin.RunId}, which does the same work.";
                await transaction.ExecuteAsync(
                    "update step set same_as = @key, message = @message where id = @Id", new { step.Id, key = key.Hex, message }).ConfigureAwait(false);
                return;
            }
            await transaction.ExecuteAsync(
                """
                update step set step_key = @key, offer = @offer, inputs = @inputs, memory_bytes = @memoryBytes, not_before = 0, ready_at = @Now
                 where id = @Id
                """, new { step.Id, key = key.Hex, offer, inputs = JsonColumn.Write(inputs), memoryBytes, transaction.Now }).ConfigureAwait(false);
            if (damage is not null)
            {
                await transaction.LogAsync(
                    step.RunId, step.Name,
                    new StepLogged(step.Attempt, [$"An earlier result cannot be used and is computed again: {damage}"], step.Name)).ConfigureAwait(false);
            }
            if (await transaction.MoveAsync(run, step, StepEvent.Prepared).ConfigureAwait(false))
                await transaction.HintAsync(step, 0).ConfigureAwait(false);
        }, cancellationToken);

    /// <summary>The step's result exists.</summary>
    public Task CachedAsync(
        StepRow prepared, Digest key, IReadOnlyList<StepInput> inputs, StepOutcome result, CancellationToken cancellationToken) =>
        ApplyAsync(prepared, async (transaction, run, step) =>
        {
            await transaction.ExecuteAsync(
                "update step set step_key = @key, inputs = @inputs, outputs = @outputs, metrics = @metrics, notes = @notes where id = @Id",
                new
                {
                    step.Id, key = key.Hex, inputs = JsonColumn.Write(inputs), outputs = JsonColumn.Write(result.Outputs),
                    metrics = JsonColumn.Write(result.Metrics), notes = JsonColumn.Write(result.Notes),
                }).ConfigureAwait(false);
            await transaction.MoveAsync(run, RunEvent.Started).ConfigureAwait(false);
            await transaction.MoveAsync(run, step, StepEvent.FoundInCache).ConfigureAwait(false);
        }, cancellationToken);

    /// <summary>The step's condition is false.</summary>
    public Task SkipAsync(StepRow prepared, string message, CancellationToken cancellationToken) =>
        ApplyAsync(prepared, (transaction, run, step) => transaction.MoveAsync(run, step, StepEvent.ConditionFalse, message), cancellationToken);

    /// <summary>The step cannot be prepared now: it waits on, and says why.</summary>
    public Task HoldAsync(StepRow prepared, string reason, TimeSpan wait, CancellationToken cancellationToken) =>
        ApplyAsync(prepared, async (transaction, run, step) =>
        {
            reason = LedgerText.Clean(reason);
            await transaction.ExecuteAsync(
                "update step set not_before = @next, message = @reason where id = @Id",
                new { step.Id, reason, next = transaction.Now + (long)wait.TotalMilliseconds }).ConfigureAwait(false);
            if (step.Message != reason)
                await transaction.RecordChangeAsync(run.Id, step.Name, StepState.Waiting, step.Attempt, reason).ConfigureAwait(false);
        }, cancellationToken);

    /// <summary>Whether an error says that the ledger itself is away.</summary>
    public bool IsUnavailable(System.Data.Common.DbException error) => database.Dialect.IsUnavailable(error);

    /// <summary>The step cannot be prepared, now or ever.</summary>
    public Task RejectAsync(StepRow prepared, string message, CancellationToken cancellationToken) =>
        ApplyAsync(prepared, (transaction, run, step) => transaction.MoveAsync(run, step, StepEvent.Rejected, message, FailureClass.User), cancellationToken);

    /// <summary>Only if nothing happened to the step since it was read.</summary>
    private async Task ApplyAsync(StepRow prepared, Func<DatabaseTransaction, RunRow, StepRow, Task> apply, CancellationToken cancellationToken)
    {
        await database.WriteAsync(async transaction =>
        {
            if (await transaction.LockRunAsync(prepared.Run).ConfigureAwait(false) is { } run
                && await transaction.FindStepAsync(run, prepared.Name).ConfigureAwait(false) is { Current: StepState.Waiting } step)
            {
                await apply(transaction, run, step).ConfigureAwait(false);
            }
        }, cancellationToken).ConfigureAwait(false);
        wakeups.AfterChange();
    }
}
