using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Notices;
using Espalier.Orchestrator.StateMachine;
using Espalier.Orchestrator.Triggers;

namespace Espalier.Orchestrator.Ledger;

/// <summary>
/// Applies events of the state machine to rows. Every caller holds the run's row, so the steps of a run change one after
/// the other; only claims and heartbeats touch single steps without it.
/// </summary>
internal static class StepMoves
{
    /// <summary>Reads a run and keeps others from changing it until the commit; null when there is none, or when it is archived.</summary>
    public static Task<RunRow?> LockRunAsync(this DatabaseTransaction transaction, Guid runId) =>
        transaction.FindAsync<RunRow>(
            $"select {RunRow.Columns} from run where id = @id and archived_at is null {transaction.Dialect.ForUpdate}", new { id = runId.ToString() });

    /// <summary>Reads a step of a locked run; null when there is none.</summary>
    public static Task<StepRow?> FindStepAsync(this DatabaseTransaction transaction, RunRow run, string name) =>
        transaction.FindAsync<StepRow>(
            $"select * from step where run_id = @Id and name = @name {transaction.Dialect.ForUpdate}", new { run.Id, name });

    /// <summary>Applies an event to a step and everything that follows from it; false when the event changes nothing.</summary>
    public static async Task<bool> MoveAsync(
        this DatabaseTransaction transaction, RunRow run, StepRow step, StepEvent happened, string message = "", FailureClass? failure = null)
    {
        if (StepTransitions.Next(step.Current, happened) is not { } next)
            return false;
        message = LedgerText.Clean(message);
        await transaction.ExecuteAsync(
            """
            update step set state = @state, message = @message, failure = @failure, ended_at = @endedAt, lease_until = null, deadline_at = null
             where id = @Id
            """,
            new
            {
                step.Id,
                state = EnumText.Of(next),
                message,
                failure = failure is { } f ? EnumText.Of(f) : null,
                endedAt = next.IsEnded() ? transaction.Now : (long?)null,
            }).ConfigureAwait(false);
        step.State = EnumText.Of(next);
        await transaction.RecordChangeAsync(step.RunId, step.Name, next, step.Attempt, message).ConfigureAwait(false);
        await ReleaseTwinsAsync(transaction, step, next).ConfigureAwait(false);
        if (next.IsEnded())
            await SettleAsync(transaction, run, step, next).ConfigureAwait(false);
        return true;
    }

    /// <summary>Applies a run event; false when it changes nothing.</summary>
    public static async Task<bool> MoveAsync(this DatabaseTransaction transaction, RunRow run, RunEvent happened, string message = "")
    {
        if (RunTransitions.Next(run.Current, happened) is not { } next)
            return false;
        run.State = EnumText.Of(next);
        if (happened != RunEvent.Started) // a cancel may come between a claim and this, and its reason stays
            run.Message = message;
        if (next.IsEnded())
            run.CancelUntil = null;
        await transaction.ExecuteAsync(
            """
            update run set state = @State, message = @Message, cancel_until = @CancelUntil,
                   started_at = case when @started then coalesce(started_at, @Now) else started_at end, ended_at = @endedAt
             where id = @Id
            """,
            new
            {
                run.Id,
                run.State,
                run.Message,
                run.CancelUntil,
                transaction.Now,
                started = happened == RunEvent.Started,
                endedAt = next.IsEnded() ? transaction.Now : (long?)null,
            }).ConfigureAwait(false);
        await transaction.RecordChangeAsync(run).ConfigureAwait(false);
        if (next.IsEnded())
        {
            await transaction.RecordEndAsync(run).ConfigureAwait(false);
            await transaction.RecordNoticesAsync(run).ConfigureAwait(false);
        }
        return true;
    }

    /// <summary>Counts steps that ended, and ends the run with the last one.</summary>
    public static async Task CloseAsync(this DatabaseTransaction transaction, RunRow run, int ended)
    {
        run.OpenSteps -= ended;
        await transaction.ExecuteAsync("update run set open_steps = @OpenSteps where id = @Id", new { run.Id, run.OpenSteps }).ConfigureAwait(false);
        if (run.OpenSteps > 0)
            return;
        var failed = await transaction.QueryAsync<string>(
            "select name from step where run_id = @Id and state = 'failed' order by position limit 5", new { run.Id }).ConfigureAwait(false);
        var cancelled = await transaction.FindAsync<string>(
            "select name from step where run_id = @Id and state = 'cancelled' limit 1", new { run.Id }).ConfigureAwait(false);
        var (happened, message) =
            failed.Count > 0 ? (RunEvent.EndedWithFailure, $"Failed: {string.Join(", ", failed)}.")
            : cancelled is not null ? (RunEvent.EndedByCancel, run.Message)
            : (RunEvent.AllEndedWell, "");
        await transaction.MoveAsync(run, happened, message).ConfigureAwait(false);
    }

    private static async Task SettleAsync(DatabaseTransaction transaction, RunRow run, StepRow step, StepState state)
    {
        var ended = 1;
        if (state.EndedWell())
        {
            await transaction.ExecuteAsync(
                """
                update step set waiting_on = waiting_on - 1
                 where run_id = @RunId and state = 'waiting' and name in (select name from step_need where run_id = @RunId and needs = @Name)
                """, new { step.RunId, step.Name }).ConfigureAwait(false);
        }
        else
        {
            ended += await SkipDependentsAsync(transaction, step, state).ConfigureAwait(false);
        }
        await transaction.CloseAsync(run, ended).ConfigureAwait(false);
    }

    /// <summary>The event <see cref="StepEvent.NeedFailed"/> for everything downstream at once: a plan may have thousands of steps there.</summary>
    private static async Task<int> SkipDependentsAsync(DatabaseTransaction transaction, StepRow step, StepState state)
    {
        var message = $"Step '{step.Name}', which it needs, {(state == StepState.Failed ? "failed" : $"was {EnumText.Of(state)}")}.";
        var skipped = await transaction.QueryAsync<string>(
            """
            with recursive downstream (name) as (
                select name from step_need where run_id = @RunId and needs = @Name
                union
                select n.name from step_need n join downstream d on n.needs = d.name where n.run_id = @RunId)
            update step set state = @skipped, message = @message, ended_at = @Now
             where run_id = @RunId and state = @waiting and name in (select name from downstream)
            returning name
            """,
            new
            {
                step.RunId,
                step.Name,
                message,
                transaction.Now,
                waiting = EnumText.Of(StepState.Waiting),
                skipped = EnumText.Of(StepTransitions.Next(StepState.Waiting, StepEvent.NeedFailed)!.Value),
            }).ConfigureAwait(false);
        foreach (var name in skipped)
            await transaction.RecordChangeAsync(step.RunId, name, StepState.Skipped, 0, message).ConfigureAwait(false);
        return skipped.Count;
    }

    /// <summary>Steps with the same key waited for this one; now they look again.</summary>
    private static Task ReleaseTwinsAsync(DatabaseTransaction transaction, StepRow step, StepState state) =>
        step.StepKey is null || state is StepState.Running or StepState.Ready
            ? Task.CompletedTask
            : transaction.ExecuteAsync("update step set same_as = null where same_as = @StepKey", new { step.StepKey });
}
