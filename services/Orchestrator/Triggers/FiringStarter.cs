using System.Data.Common;
using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Results;

namespace Espalier.Orchestrator.Triggers;

/// <summary>
/// Starts the runs of firings that wait. A run, its origin and the firing's end are one transaction, so whatever is killed or happens
/// twice, an event starts one run of a trigger. Firings that are due together are planned and written together; each one's trouble is
/// its own: the others go on.
/// </summary>
internal sealed class FiringStarter(
    LedgerDatabase database, FiringPlans plans, FiringLedger firings, Wakeups wakeups, ILogger<FiringStarter> logger, RunEstimates? estimates = null)
{
    // Of a round, and of one transaction, for whose lock others wait.
    private const int Batch = 64, Together = 16;

    private const string Gone = "The pipeline was removed, or no longer has this trigger.";

    // Groups with a run under way: from the runs under way to their groups, since a group may have had very many runs. 'cross' keeps SQLite to it.
    internal const string UnderWay =
        "from run r cross join run_origin o where r.state in ('queued', 'running') and o.run_id = r.id";

    /// <summary>Firings that can start a run now.</summary>
    internal const string Due =
        $"""
        select * from trigger_firing f
         where f.state = 'waiting' and f.not_before <= @Now
           and (f.is_queued = 0 or f.concurrency_group is null
                or f.concurrency_group not in (select o.concurrency_group {UnderWay} and o.concurrency_group is not null))
         order by f.id limit @Batch
        """;

    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1), LongestWait = TimeSpan.FromMinutes(1);

    /// <summary>One round over what is due; returns the number of runs started.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var due = await database.ReadAsync(
            connection => connection.QueryAsync<FiringRow>(Due, new { database.Now, Batch }), cancellationToken).ConfigureAwait(false);
        var (pending, started) = (due.ToList(), 0);
        while (pending.Count > 0)
        {
            // One of a group at a time, and none any more once it has a run.
            var some = pending.DistinctBy(f => f.ConcurrencyGroup ?? $"\n{f.Id}").Take(Together).ToList();
            var begun = await StartAsync(await PlanAsync(some, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
            var groups = begun.Select(b => b.Row.ConcurrencyGroup).OfType<string>().ToHashSet(StringComparer.Ordinal);
            pending.RemoveAll(f => some.Contains(f) || f.ConcurrencyGroup is { } group && groups.Contains(group));
            started += begun.Count;
        }
        return started;
    }

    private async Task<IReadOnlyList<PlannedFiring>> PlanAsync(IReadOnlyList<FiringRow> some, CancellationToken cancellationToken)
    {
        var due = await database.ReadAsync(connection => FiringLedger.ReadAsync(connection, database.Dialect, some), cancellationToken)
            .ConfigureAwait(false);
        var offered = await plans.OfferedAsync(cancellationToken).ConfigureAwait(false);
        var planned = new List<PlannedFiring>();
        foreach (var firing in due)
        {
            await TryAsync(
                firing.Row,
                async () =>
                {
                    if (firing.IsGone)
                        await RefuseAsync(firing.Row, Gone, isFailure: false, cancellationToken).ConfigureAwait(false);
                    else
                        planned.Add(await plans.MakeAsync(firing, offered, cancellationToken).ConfigureAwait(false));
                }, cancellationToken).ConfigureAwait(false);
        }
        return planned;
    }

    /// <summary>Starts some together; when that fails, each alone, so that only the one that is wrong waits. Returns those that have a run.</summary>
    private async Task<IReadOnlyList<PlannedFiring>> StartAsync(IReadOnlyList<PlannedFiring> planned, CancellationToken cancellationToken)
    {
        if (planned.Count > 1)
        {
            try
            {
                return await WriteAsync(planned, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested && !(e is DbException d && database.Dialect.IsUnavailable(d)))
            {
                // Whose it is shows below.
            }
        }
        var started = new List<PlannedFiring>();
        foreach (var firing in planned)
        {
            await TryAsync(
                firing.Row, async () => started.AddRange(await WriteAsync([firing], cancellationToken).ConfigureAwait(false)), cancellationToken)
                .ConfigureAwait(false);
        }
        return started;
    }

    private async Task<IReadOnlyList<PlannedFiring>> WriteAsync(IReadOnlyList<PlannedFiring> planned, CancellationToken cancellationToken)
    {
        var started = await database.WriteAsync(transaction => firings.StartAsync(transaction, planned), cancellationToken).ConfigureAwait(false);
        wakeups.AfterChange();
        foreach (var (firing, happened, plan) in started)
        {
            estimates?.Add(plan.Submit.RunId, plan.Plan);
            OrchestratorLog.RunTriggered(logger, plan.Submit.RunId, plan.Plan.Name, firing.TriggerName, happened.Id);
            OrchestratorTelemetry.Triggered(happened.Kind, TimeSpan.FromMilliseconds(Math.Max(0, database.Now - happened.At)));
        }
        return started;
    }

    /// <summary>Does something for a firing; what goes wrong is written down with it.</summary>
    private async Task TryAsync(FiringRow firing, Func<Task> act, CancellationToken cancellationToken)
    {
        try
        {
            await act().ConfigureAwait(false);
        }
        catch (UserInputException e)
        {
            await RefuseAsync(firing, e.Message, isFailure: true, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && !(e is DbException d && database.Dialect.IsUnavailable(d)))
        {
            if (e is not PlanLaterException)
                OrchestratorLog.FiringHeld(logger, firing.TriggerName, firing.EventId, e);
            await HoldAsync(firing, e.Message, cancellationToken).ConfigureAwait(false);
        }
    }

    private Task RefuseAsync(FiringRow firing, string reason, bool isFailure, CancellationToken cancellationToken) =>
        database.WriteAsync(async transaction =>
        {
            await transaction.SerializeAsync(TriggerLock.Key).ConfigureAwait(false);
            await FiringLedger.EndAsync(transaction, firing, FiringState.Refused, reason).ConfigureAwait(false);
            if (isFailure)
                await TriggerEvents.CountFailuresAsync(transaction, firing.TriggerName, isFailed: true, $"event #{firing.EventId}").ConfigureAwait(false);
        }, cancellationToken);

    private Task HoldAsync(FiringRow firing, string reason, CancellationToken cancellationToken)
    {
        var wait = FirstWait * Math.Pow(2, Math.Min(firing.Attempts, 10));
        return database.WriteAsync(
            transaction => transaction.ExecuteAsync(
                "update trigger_firing set attempts = attempts + 1, not_before = @next, reason = @reason where id = @Id and state = 'waiting'",
                new
                {
                    firing.Id, reason = LedgerText.Clean($"Will be tried again: {reason}"),
                    next = transaction.Now + (long)(wait < LongestWait ? wait : LongestWait).TotalMilliseconds,
                }), cancellationToken);
    }
}
