using System.Data.Common;
using Dapper;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Triggers;

/// <summary>Finds out which run a run that a trigger is going to start waits for: the one of its concurrency group that is under way.</summary>
internal static class GroupWaits
{
    /// <summary>Shows firings, those that wait behind a group with why.</summary>
    public static async Task<IReadOnlyList<FiringView>> ViewAsync(DbConnection connection, LedgerDatabase database, IReadOnlyList<FiringRow> firings)
    {
        var groups = firings.Where(IsQueued).Select(f => f.ConcurrencyGroup!).Distinct().ToList();
        if (groups.Count == 0)
            return [.. firings.Select(TriggerLedger.ViewOf)];
        var arguments = new { groups = database.Dialect.List(groups) };
        var underWay = (await connection.QueryAsync<(string Group, string Id, string State, string Name, long Ordinal)>(
            $"""
            select o.concurrency_group, r.id, r.state, r.name, r.ordinal {FiringStarter.UnderWay} and {database.Dialect.In("o.concurrency_group", "groups")}
             order by r.number, r.id
            """, arguments).ConfigureAwait(false)).ToLookup(r => r.Group);
        var queue = (await connection.QueryAsync<(string Group, long Id)>(
            $"""
            select concurrency_group, id from trigger_firing
             where state = 'waiting' and is_queued = 1 and {database.Dialect.In("concurrency_group", "groups")}
            """, arguments).ConfigureAwait(false)).ToLookup(f => f.Group, f => f.Id);
        return
        [
            .. firings.Select(f => TriggerLedger.ViewOf(f) with
            {
                Wait = IsQueued(f) && underWay[f.ConcurrencyGroup!].FirstOrDefault() is { Id: not null } run
                    ? Of(f, RunView.LabelOf(run.Name, run.Ordinal, Guid.Parse(run.Id)), run.State, queue[f.ConcurrencyGroup!].Count(id => id < f.Id))
                    : null,
            }),
        ];
    }

    private static bool IsQueued(FiringRow firing) => firing.Current == FiringState.Waiting && firing is { IsQueued: not 0, ConcurrencyGroup: not null };

    private static StepWait Of(FiringRow firing, string run, string state, int ahead)
    {
        var others = ahead == 0 ? "it is next" : $"{ahead} {(ahead == 1 ? "run is" : "runs are")} ahead of it";
        return new StepWait(
            WaitReason.ConcurrencyGroup, $"Waits for {run} ({state}) of group '{firing.ConcurrencyGroup}' to end; {others}.", Times.Of(firing.At));
    }
}
