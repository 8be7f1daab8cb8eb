using System.Data.Common;
using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.StateMachine;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Ledger;

/// <summary>Ends leases, attempts, waits and cancels that ran out of time, and sends steps back whose code is no longer offered.</summary>
internal sealed class LedgerSweep(LedgerDatabase database, StageCatalog stages, Wakeups wakeups, OrchestratorOptions options, ILogger<LedgerSweep> logger)
{
    private const int Batch = 100;

    /// <summary>Twice the longest backoff that a pipeline may ask for.</summary>
    private static readonly TimeSpan LongestWait = RetryPolicy.LongestBackoff * 2.5;

    private const string Unoffered = "No live worker offers ";

    // Steps whose failure is in the log; one damaged row must not fill it.
    private readonly HashSet<long> _reported = [];

    /// <summary>One pass. Returns the number of steps that changed.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var now = database.Now;
        var times = new
        {
            now,
            queued = now - (long)options.QueueTimeout.TotalMilliseconds,
            alive = stages.Alive(now),
            Batch,
        };
        var changed = await EachAsync(
            "state = 'running' and lease_until < @now", times,
            (transaction, run, step) => AttemptEndings.ExpireLeaseAsync(transaction, run, step, options), cancellationToken).ConfigureAwait(false);
        changed += await EachAsync(
            "state = 'running' and deadline_at < @now", times,
            (transaction, run, step) => transaction.MoveAsync(run, step, StepEvent.TimedOut, "The attempt ran out of the time that 'timeout' allows."),
            cancellationToken).ConfigureAwait(false);
        changed += await EachAsync(
            "state = 'running' and run_id in (select id from run where cancel_until < @now)", times,
            (transaction, run, step) => transaction.MoveAsync(run, step, StepEvent.Stopped,
                $"Worker {step.Worker} did not stop within {options.CancelGrace.TotalSeconds:0.#} s."),
            cancellationToken).ConfigureAwait(false);
        changed += await EachAsync(
            "state = 'ready' and ready_at < @queued", times,
            (transaction, run, step) => transaction.MoveAsync(run, step, StepEvent.TimedOut, "No worker took the step in time."),
            cancellationToken).ConfigureAwait(false);
        changed += await EachAsync(
            $"""
            state = 'ready' and {StageCatalog.IsOffered} and not exists (
                select 1 from stage t
                 where t.kind || '@' || t.version || '@' || t.numerics_class = step.offer and t.device = step.device and t.advertised_at > @alive)
            """,
            times, SupersedeAsync, cancellationToken).ConfigureAwait(false);
        changed += await EachAsync(
            $"state = 'waiting' and waiting_on = 0 and same_as is null and message not like '{Unoffered}%' and not {StageCatalog.IsOffered}",
            times, ReportUnofferedAsync, cancellationToken).ConfigureAwait(false);
        await TidyAsync(now, cancellationToken).ConfigureAwait(false);
        if (changed > 0)
            wakeups.AfterChange();
        return changed;
    }

    /// <summary>
    /// Forgets workers that are gone. And mends times that lie further ahead than anything here ever sets: they were written
    /// by a clock that was wrong, and a lease that ends tomorrow would hide a dead worker until then.
    /// </summary>
    private Task TidyAsync(long now, CancellationToken cancellationToken) =>
        database.WriteAsync(async transaction =>
        {
            var times = new
            {
                now,
                lease = now + (long)options.Lease.TotalMilliseconds,
                wait = now + (long)LongestWait.TotalMilliseconds,
                alive = stages.Alive(now),
                cancel = now + (long)options.CancelGrace.TotalMilliseconds,
            };
            await transaction.ExecuteAsync("update step set lease_until = @lease where state = 'running' and lease_until > @lease + 1000",
                times).ConfigureAwait(false);
            // Two statements, each with an index of its own: the steps of ended runs may be millions.
            foreach (var which in new[] { "state = 'ready'", "state = 'waiting' and waiting_on = 0 and same_as is null" })
            {
                await transaction.ExecuteAsync(
                    $"update step set not_before = @now, ready_at = @now where {which} and not_before > @wait", times).ConfigureAwait(false);
            }
            await transaction.ExecuteAsync("update outbox set not_before = @now where not_before > @wait", times).ConfigureAwait(false);
            await transaction.ExecuteAsync("update run set cancel_until = @cancel where cancel_until > @cancel + 1000", times).ConfigureAwait(false);
            await transaction.ExecuteAsync("update stage set advertised_at = @now where advertised_at > @now + 60000", times).ConfigureAwait(false);
            await transaction.ExecuteAsync(
                """
                delete from worker where (seen_at < @alive or seen_at > @now + 60000)
                   and not exists (select 1 from step s where s.worker = worker.name and s.state = 'running')
                """, times).ConfigureAwait(false);
        }, cancellationToken);

    private async Task<int> EachAsync(
        string condition, object times, Func<DatabaseTransaction, RunRow, StepRow, Task<bool>> apply, CancellationToken cancellationToken)
    {
        var found = await database.ReadAsync(
            async connection => (await connection.QueryAsync<StepRow>($"select id, run_id, name, state, attempt from step where {condition} limit @Batch",
                times).ConfigureAwait(false)).AsList(),
            cancellationToken).ConfigureAwait(false);
        var changed = 0;
        foreach (var seen in found)
        {
            try
            {
                changed += await database.WriteAsync(async transaction =>
                    await transaction.LockRunAsync(seen.Run).ConfigureAwait(false) is { } run
                    && await transaction.FindStepAsync(run, seen.Name).ConfigureAwait(false) is { } step
                    && await transaction.FindAsync<long?>($"select id from step where id = @Id and ({condition})",
                        Merge(times, step.Id)).ConfigureAwait(false) is not null
                    && await apply(transaction, run, step).ConfigureAwait(false), cancellationToken).ConfigureAwait(false) ? 1 : 0;
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested && !(e is DbException d && database.Dialect.IsUnavailable(d)))
            {
                if (_reported.Add(seen.Id))
                    OrchestratorLog.StepNotSwept(logger, seen.RunId, seen.Name, e);
            }
        }
        return changed;
    }

    private static DynamicParameters Merge(object times, long id)
    {
        var all = new DynamicParameters(times);
        all.Add("Id", id);
        return all;
    }

    private static async Task<bool> SupersedeAsync(DatabaseTransaction transaction, RunRow run, StepRow step)
    {
        if (!await transaction.MoveAsync(run, step, StepEvent.Superseded).ConfigureAwait(false))
            return false;
        await transaction.ExecuteAsync("update step set step_key = null, offer = null where id = @Id", new { step.Id }).ConfigureAwait(false);
        await transaction.RecountNeedsAsync(run.Id).ConfigureAwait(false); // one of them may be being done again
        return true;
    }

    private static async Task<bool> ReportUnofferedAsync(DatabaseTransaction transaction, RunRow run, StepRow step)
    {
        var message = $"{Unoffered}'{step.Kind}' on {step.Device}: start one.";
        await transaction.ExecuteAsync("update step set message = @message where id = @Id", new { step.Id, message }).ConfigureAwait(false);
        await transaction.RecordChangeAsync(run.Id, step.Name, StepState.Waiting, step.Attempt, message).ConfigureAwait(false);
        return true;
    }
}
