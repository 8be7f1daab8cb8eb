using System.Data.Common;
using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>A firing that is due, and what it is of; what is gone is null.</summary>
internal sealed record DueFiring(FiringRow Row, PipelineRow? Pipeline, TriggerRow? Trigger, EventRow? Event)
{
    /// <summary>Whether something of it is gone, so that no run can be started.</summary>
    public bool IsGone => Pipeline is null || Trigger is null || Event is null;
}

/// <summary>A firing and the run that it would start.</summary>
internal sealed record PlannedFiring(FiringRow Row, EventRow Event, FiringPlan Plan);

/// <summary>Firings in the ledger: what they are of, and the starts of their runs.</summary>
internal sealed class FiringLedger(RunLedger runs)
{
    /// <summary>Reads what firings are of, for all at once.</summary>
    public static async Task<IReadOnlyList<DueFiring>> ReadAsync(DbConnection connection, SqlDialect dialect, IReadOnlyList<FiringRow> firings)
    {
        var triggers = (await connection.QueryAsync<TriggerRow>(
            $"select * from pipeline_trigger where {dialect.In("name", "names")}",
            new { names = dialect.List(firings.Select(f => f.TriggerName).Distinct().ToList()) }).ConfigureAwait(false)).ToDictionary(t => t.Name);
        var events = (await connection.QueryAsync<EventRow>(
            $"select * from trigger_event where {dialect.In("id", "ids")}",
            new { ids = dialect.List(firings.Select(f => f.EventId).Distinct().ToList()) }).ConfigureAwait(false)).ToDictionary(e => e.Id);
        var pipelines = (await connection.QueryAsync<PipelineRow>(
            $"""
            select v.* from pipeline p join pipeline_version v on v.name = p.name and v.version = p.version
             where {dialect.In("p.name", "names")} and p.removed_at is null
            """, new { names = dialect.List(triggers.Values.Select(t => t.Pipeline).Distinct().ToList()) }).ConfigureAwait(false)).ToDictionary(p => p.Name);
        return [.. firings.Select(f =>
        {
            var trigger = triggers.GetValueOrDefault(f.TriggerName);
            return new DueFiring(f, trigger is null ? null : pipelines.GetValueOrDefault(trigger.Pipeline), trigger, events.GetValueOrDefault(f.EventId));
        })];
    }

    /// <summary>Starts the runs that may start now; returns their firings. Of the others it is written why not, or that they wait.</summary>
    public async Task<IReadOnlyList<PlannedFiring>> StartAsync(DatabaseTransaction transaction, IReadOnlyList<PlannedFiring> planned)
    {
        await transaction.SerializeAsync(TriggerLock.Key).ConfigureAwait(false);
        var waiting = (await transaction.QueryAsync<long>(
            $"select id from trigger_firing where state = 'waiting' and {transaction.Dialect.In("id", "ids")}",
            new { ids = transaction.Dialect.List(planned.Select(p => p.Row.Id).ToList()) }).ConfigureAwait(false)).ToHashSet();
        var triggers = (await transaction.QueryAsync<TriggerRow>(
            $"select * from pipeline_trigger where {transaction.Dialect.In("name", "names")}",
            new { names = transaction.Dialect.List(planned.Select(p => p.Row.TriggerName).Distinct().ToList()) }).ConfigureAwait(false))
            .ToDictionary(t => t.Name);
        var owners = new Dictionary<string, string?>(StringComparer.Ordinal);
        var started = new List<PlannedFiring>();
        foreach (var firing in planned)
        {
            if (!waiting.Contains(firing.Row.Id) || triggers.GetValueOrDefault(firing.Row.TriggerName) is not { } trigger)
                continue;
            var owner = firing.Plan.Origin.Owner;
            if (!owners.TryGetValue(owner, out var problem))
                problem = owners[owner] = await OwnerProblemAsync(transaction, owner).ConfigureAwait(false);
            if (await StartAsync(transaction, firing, trigger, problem).ConfigureAwait(false))
                started.Add(firing);
        }
        return started;
    }

    private async Task<bool> StartAsync(DatabaseTransaction transaction, PlannedFiring planned, TriggerRow trigger, string? ownerProblem)
    {
        var (firing, _, plan) = planned;
        if ((trigger.Off ?? ownerProblem) is { } reason)
            return await EndAsync(transaction, firing, FiringState.Refused, reason).ConfigureAwait(false);
        if (plan.Origin.Group is { } group && !await MayStartAsync(transaction, firing, group, trigger.Read()).ConfigureAwait(false))
            return false;
        await transaction.ExecuteAsync(
            "update trigger_firing set state = 'started', reason = '', run_id = @run, at = @Now where id = @Id",
            new { firing.Id, run = plan.Submit.RunId.ToString(), transaction.Now }).ConfigureAwait(false);
        return await RunLedger.InsertAsync(transaction, plan.Submit, plan.Plan, plan.Origin).ConfigureAwait(false);
    }

    /// <summary>A run has the rights that its owner has now: whose keys are revoked starts nothing.</summary>
    private static async Task<string?> OwnerProblemAsync(DatabaseTransaction transaction, string owner)
    {
        var roles = await transaction.QueryAsync<string>("select role from api_key where name = @owner", new { owner }).ConfigureAwait(false);
        if (roles.Count == 0)
        {
            return $"Its owner '{owner}' has no key any more: a run has the rights of its owner. "
                + "Somebody who may start runs adds the pipeline again: espalier pipelines add FILE.";
        }
        return roles.Max(EnumText.Parse<ApiRole>) >= ApiRole.Submitter ? null : $"Its owner '{owner}' may not start runs any more.";
    }

    /// <summary>Whether no run of the group is under way; if one is, the trigger's policy says what becomes of the two.</summary>
    private async Task<bool> MayStartAsync(DatabaseTransaction transaction, FiringRow firing, string group, TriggerSettings settings)
    {
        var underWay = await transaction.QueryAsync<string>(
            $"select r.id {FiringStarter.UnderWay} and o.concurrency_group = @group order by r.number, r.id", new { group }).ConfigureAwait(false);
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

    /// <summary>Ends a firing without a run; always false, since no run was started.</summary>
    public static async Task<bool> EndAsync(DatabaseTransaction transaction, FiringRow firing, FiringState state, string reason)
    {
        await transaction.ExecuteAsync(
            "update trigger_firing set state = @state, reason = @reason, at = @Now where id = @Id and state = 'waiting'",
            new { firing.Id, state = EnumText.Of(state), reason = LedgerText.Clean(reason), transaction.Now }).ConfigureAwait(false);
        return false;
    }
}
