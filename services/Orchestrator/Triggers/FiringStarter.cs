using System.Data.Common;
using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>
/// Starts the runs of firings that wait. A run, its origin and the firing's end are one transaction, so whatever is killed or happens
/// twice, an event starts one run of a trigger. Each firing's trouble is its own: the others go on.
/// </summary>
internal sealed class FiringStarter(LedgerDatabase database, FiringPlans plans, RunLedger runs, Wakeups wakeups, ILogger<FiringStarter> logger)
{
    private const int Batch = 64;
    private const string UnderWay =
        "select 1 from run_origin o join run r on r.id = o.run_id where o.concurrency_group = f.concurrency_group and r.state in ('queued', 'running')";

    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1), LongestWait = TimeSpan.FromMinutes(1);

    /// <summary>One round over what is due; returns the number of runs started.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var due = await database.ReadAsync(
            connection => connection.QueryAsync<FiringRow>(
                $"""
                select * from trigger_firing f
                 where f.state = 'waiting' and f.not_before <= @Now and (f.is_queued = 0 or not exists ({UnderWay}))
                 order by f.id limit @Batch
                """, new { database.Now, Batch }), cancellationToken).ConfigureAwait(false);
        var started = 0;
        var groups = new HashSet<string>(StringComparer.Ordinal); // of which this round has started a run
        foreach (var firing in due.Where(f => f.ConcurrencyGroup is not { } group || !groups.Contains(group)))
        {
            if (!await TryAsync(firing, cancellationToken).ConfigureAwait(false))
                continue;
            started++;
            if (firing.ConcurrencyGroup is { } group)
                groups.Add(group);
        }
        return started;
    }

    private async Task<bool> TryAsync(FiringRow firing, CancellationToken cancellationToken)
    {
        try
        {
            return await StartAsync(firing, cancellationToken).ConfigureAwait(false);
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
        return false;
    }

    private async Task<bool> StartAsync(FiringRow firing, CancellationToken cancellationToken)
    {
        var (pipeline, trigger, happened) = await database.ReadAsync(
            connection => ReadAsync(connection, firing), cancellationToken).ConfigureAwait(false);
        if (pipeline is null || trigger is null || happened is null)
        {
            await RefuseAsync(firing, "The pipeline was removed, or no longer has this trigger.", isFailure: false, cancellationToken).ConfigureAwait(false);
            return false;
        }
        var plan = await plans.MakeAsync(pipeline, trigger, happened, firing, cancellationToken).ConfigureAwait(false);
        var isStarted = await database.WriteAsync(
            transaction => StartAsync(transaction, plan, firing), cancellationToken).ConfigureAwait(false);
        wakeups.AfterChange();
        if (isStarted)
        {
            OrchestratorLog.RunTriggered(logger, plan.Submit.RunId, plan.Plan.Name, trigger.Name, happened.Id);
            OrchestratorTelemetry.Triggered(happened.Kind, TimeSpan.FromMilliseconds(Math.Max(0, database.Now - happened.At)));
        }
        return isStarted;
    }

    private async Task<bool> StartAsync(DatabaseTransaction transaction, FiringPlan plan, FiringRow firing)
    {
        await transaction.SerializeAsync(TriggerLock.Key).ConfigureAwait(false);
        var state = await transaction.FindAsync<string>("select state from trigger_firing where id = @Id", new { firing.Id }).ConfigureAwait(false);
        var trigger = await transaction.FindAsync<TriggerRow>(
            "select * from pipeline_trigger where name = @TriggerName", new { firing.TriggerName }).ConfigureAwait(false);
        if (state != "waiting" || trigger is null)
            return false;
        if (trigger.Off is { } off)
            return await EndAsync(transaction, firing, FiringState.Refused, off).ConfigureAwait(false);
        if (await OwnerProblemAsync(transaction, plan.Origin).ConfigureAwait(false) is { } problem)
            return await EndAsync(transaction, firing, FiringState.Refused, problem).ConfigureAwait(false);
        if (plan.Origin.Group is { } group && !await MayStartAsync(transaction, firing, group, trigger.Read()).ConfigureAwait(false))
            return false;
        await transaction.ExecuteAsync(
            "update trigger_firing set state = 'started', reason = '', run_id = @run, at = @Now where id = @Id",
            new { firing.Id, run = plan.Submit.RunId.ToString(), transaction.Now }).ConfigureAwait(false);
        return await RunLedger.InsertAsync(transaction, plan.Submit, plan.Plan, plan.Origin).ConfigureAwait(false);
    }

    /// <summary>A run has the rights that its owner has now: whose keys are revoked starts nothing.</summary>
    private static async Task<string?> OwnerProblemAsync(DatabaseTransaction transaction, RunOrigin origin)
    {
        var roles = await transaction.QueryAsync<string>("select role from api_key where name = @Owner", new { origin.Owner }).ConfigureAwait(false);
        if (roles.Count == 0)
        {
            return $"Its owner '{origin.Owner}' has no key any more: a run has the rights of its owner. "
                + "Somebody who may start runs adds the pipeline again: espalier pipelines add FILE.";
        }
        return roles.Max(EnumText.Parse<ApiRole>) >= ApiRole.Submitter ? null : $"Its owner '{origin.Owner}' may not start runs any more.";
    }

    /// <summary>Whether no run of the group is under way; if one is, the trigger's policy says what becomes of the two.</summary>
    private async Task<bool> MayStartAsync(DatabaseTransaction transaction, FiringRow firing, string group, TriggerSettings settings)
    {
        var underWay = await transaction.QueryAsync<string>(
            """
            select r.id from run_origin o join run r on r.id = o.run_id
             where o.concurrency_group = @group and r.state in ('queued', 'running') order by r.number
            """, new { group }).ConfigureAwait(false);
        if (underWay.Count == 0)
            return true;
        var policy = settings.Concurrency?.Policy ?? ConcurrencyPolicy.Queue;
        if (policy == ConcurrencyPolicy.Skip)
            return await EndAsync(transaction, firing, FiringState.Skipped, $"Run {underWay[0]} of group '{group}' was under way.").ConfigureAwait(false);
        if (policy == ConcurrencyPolicy.CancelInProgress)
        {
            foreach (var run in underWay)
            {
                await runs.CancelAsync(
                    transaction, new CancelRun(Guid.Parse(run), $"event #{firing.EventId} starts a newer run of group '{group}'")).ConfigureAwait(false);
            }
        }
        await transaction.ExecuteAsync(
            "update trigger_firing set is_queued = 1, reason = @reason where id = @Id",
            new { firing.Id, reason = $"Waits for run {underWay[0]} of group '{group}' to end." }).ConfigureAwait(false);
        return false;
    }

    private async Task<(PipelineRow?, TriggerRow?, EventRow?)> ReadAsync(DbConnection connection, FiringRow firing)
    {
        var trigger = await connection.QueryFirstOrDefaultAsync<TriggerRow>(
            "select * from pipeline_trigger where name = @TriggerName", firing).ConfigureAwait(false);
        var happened = await connection.QueryFirstOrDefaultAsync<EventRow>("select * from trigger_event where id = @EventId", firing).ConfigureAwait(false);
        var pipeline = trigger is null
            ? null
            : await connection.QueryFirstOrDefaultAsync<PipelineRow>(
                """
                select v.* from pipeline p join pipeline_version v on v.name = p.name and v.version = p.version
                 where p.name = @Pipeline and p.removed_at is null
                """, new { trigger.Pipeline }).ConfigureAwait(false);
        return (pipeline, trigger, happened);
    }

    private Task RefuseAsync(FiringRow firing, string reason, bool isFailure, CancellationToken cancellationToken) =>
        database.WriteAsync(async transaction =>
        {
            await transaction.SerializeAsync(TriggerLock.Key).ConfigureAwait(false);
            await EndAsync(transaction, firing, FiringState.Refused, reason).ConfigureAwait(false);
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
                    firing.Id, reason = LedgerText.Clean($"Is tried again: {reason}"),
                    next = transaction.Now + (long)(wait < LongestWait ? wait : LongestWait).TotalMilliseconds,
                }), cancellationToken);
    }

    /// <summary>Ends a firing without a run; always false, since no run was started.</summary>
    private static async Task<bool> EndAsync(DatabaseTransaction transaction, FiringRow firing, FiringState state, string reason)
    {
        await transaction.ExecuteAsync(
            "update trigger_firing set state = @state, reason = @reason, at = @Now where id = @Id and state = 'waiting'",
            new { firing.Id, state = EnumText.Of(state), reason = LedgerText.Clean(reason), transaction.Now }).ConfigureAwait(false);
        return false;
    }
}
