using System.Data.Common;
using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Archive;

/// <summary>
/// Moves runs that ended long ago into the archive. A run's archive row and the mark that it is there are one transaction; its other rows are
/// deleted afterwards, some at a time, and nobody reads them any more. So it may be killed at any moment, and no transaction is long.
/// What says which event a run was started for stays where it is: no event starts a second run.
/// </summary>
internal sealed class RunArchiver(
    LedgerDatabase database, IRunReader reader, RunSources sources, OrchestratorOptions options, TimeProvider time, ILogger<RunArchiver> logger)
    : BackgroundService
{
    private const int RunsAtOnce = 20, LogLines = 1000;
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1), Breath = TimeSpan.FromMilliseconds(20);

    // Runs that cannot be read: they stay where they are, and the others go on.
    private readonly HashSet<string> _passedOver = [];

    /// <summary>Rows that one transaction deletes at most.</summary>
    internal int RowsAtOnce { get; init; } = 2000;

    /// <summary>What belongs to a run, in the order in which it is deleted; the run itself comes last.</summary>
    private static readonly (string Table, string Key)[] Tables =
        [("event", "id"), ("step_need", "run_id, name, needs"), ("step", "id"), ("run_notice", "run_id, run_state, target"), ("notice", "id"),
            ("run_estimate", "run_id")];

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => new DatabaseLoop("The archive of runs", time, logger).RunAsync(
        async token =>
        {
            var isMore = await RunOnceAsync(token).ConfigureAwait(false);
            if (isMore)
                await Task.Delay(Breath, time, token).ConfigureAwait(false); // others write, too
            return isMore;
        },
        token => Task.Delay(Interval, time, token), Interval, stoppingToken);

    /// <summary>Archives some runs and deletes some rows of archived ones; whether there is more to do.</summary>
    internal async Task<bool> RunOnceAsync(CancellationToken cancellationToken) =>
        await ArchiveAsync(cancellationToken).ConfigureAwait(false) | await DeleteAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>Archives some runs that ended long enough ago; whether there may be more.</summary>
    internal async Task<bool> ArchiveAsync(CancellationToken cancellationToken)
    {
        if (options.RunHistory is not { } history)
            return false;
        var due = await DueAsync(database.Now - (long)history.TotalMilliseconds, cancellationToken).ConfigureAwait(false);
        foreach (var run in due)
        {
            try
            {
                await ArchiveAsync(run, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested && !(e is DbException d && database.Dialect.IsUnavailable(d)))
            {
                if (_passedOver.Add(run))
                    OrchestratorLog.RunNotArchived(logger, run, e);
            }
        }
        return due.Count == RunsAtOnce;
    }

    /// <summary>Deletes some rows of archived runs; whether there may be more.</summary>
    internal async Task<bool> DeleteAsync(CancellationToken cancellationToken)
    {
        var isAny = await database.ReadAsync(
            connection => connection.QueryFirstOrDefaultAsync<string>("select id from run where archived_at is not null limit 1"), cancellationToken)
            .ConfigureAwait(false);
        return isAny is not null && await database.WriteAsync(async transaction =>
        {
            var runs = await transaction.QueryAsync<string>(
                "select id from run where archived_at is not null order by archived_at, id limit @RunsAtOnce", new { RunsAtOnce }).ConfigureAwait(false);
            var (ids, left) = (transaction.Dialect.List(runs), RowsAtOnce);
            foreach (var (table, key) in Tables)
            {
                left -= await transaction.ExecuteAsync(
                    $"delete from {table} where ({key}) in (select {key} from {table} where {transaction.Dialect.In("run_id", "ids")} limit @left)",
                    new { ids, left }).ConfigureAwait(false);
                if (left <= 0)
                    return true;
            }
            await transaction.ExecuteAsync($"delete from run where {transaction.Dialect.In("id", "ids")}", new { ids }).ConfigureAwait(false);
            return runs.Count == RunsAtOnce;
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Runs that ended before a time, the first to end first; none whose end is still to be told.</summary>
    private Task<List<string>> DueAsync(long until, CancellationToken cancellationToken) =>
        database.ReadAsync(async connection => (await connection.QueryAsync<string>(
            $"""
            select r.id from run r where r.ended_at < @until and r.archived_at is null and not {database.Dialect.In("r.id", "not")}
               and not exists (select 1 from notice n where n.run_id = r.id and n.state = 'waiting') order by r.ended_at limit @RunsAtOnce
            """, new { until, not = database.Dialect.List(_passedOver), RunsAtOnce }).ConfigureAwait(false)).AsList(), cancellationToken);

    private async Task ArchiveAsync(string id, CancellationToken cancellationToken)
    {
        var runId = Guid.Parse(id);
        var log = await ReadLogAsync(runId, cancellationToken).ConfigureAwait(false);
        var run = await reader.FindAsync(runId, cancellationToken).ConfigureAwait(false);
        var source = await sources.FindAsync(runId, cancellationToken).ConfigureAwait(false);
        if (run is not { Archived: null, Ended: { } ended } || source is null)
            return;
        var notices = await NoticesApi.ReadAsync(database, runId, cancellationToken).ConfigureAwait(false);
        var body = new ArchivedRun(run, source, log, notices)
        {
            Plan = await sources.FindPlanAsync(runId, cancellationToken).ConfigureAwait(false),
            Estimates = await sources.FindEstimatesAsync(runId, cancellationToken).ConfigureAwait(false),
        }.Pack();
        var counts = run.Steps.GroupBy(s => s.State).ToDictionary(s => EnumText.Of(s.Key), s => s.Count());
        await database.WriteAsync(async transaction =>
        {
            // Not if it was resumed, or said something, since it was read.
            var marked = await transaction.ExecuteAsync(
                """
                update run set archived_at = @Now where id = @id and archived_at is null and ended_at = @ended
                   and (select coalesce(max(e.id), 0) from event e where e.run_id = run.id) = @last
                """, new { id, transaction.Now, ended = ended.ToUnixTimeMilliseconds(), last = log.Count > 0 ? log[^1].Id : 0 }).ConfigureAwait(false);
            if (marked == 0)
                return;
            await transaction.ExecuteAsync(
                """
                insert into run_archive (id, number, ordinal, name, state, archived_at, summary, body)
                select id, number, ordinal, name, state, @Now, @summary, @body from run where id = @id
                """, new { id, transaction.Now, summary = JsonColumn.Write(run with { Steps = [], Counts = counts }), body }).ConfigureAwait(false);
        }, cancellationToken).ConfigureAwait(false);
    }

    private async Task<IReadOnlyList<RunEventView>> ReadLogAsync(Guid runId, CancellationToken cancellationToken)
    {
        var log = new List<RunEventView>();
        while (await reader.ReadLogAsync(runId, log.Count > 0 ? log[^1].Id : 0, LogLines, cancellationToken).ConfigureAwait(false) is { Count: > 0 } lines)
            log.AddRange(lines);
        return log;
    }
}
