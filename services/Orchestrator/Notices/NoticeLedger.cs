using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Notices;

/// <summary>What is told of the ends of runs, as the database holds it. It is written in the transaction that ends the run.</summary>
internal static class NoticeLedger
{
    /// <summary>No notice is put off for longer: one that seems to be was written before the clock was set back, and is due.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(30);

    /// <summary>Writes whom a run tells, with the run.</summary>
    public static async Task AddNoticesAsync(this DatabaseTransaction transaction, RunRow run, IReadOnlyList<PlannedNotice> notices)
    {
        foreach (var notice in notices)
        {
            await transaction.ExecuteAsync(
                "insert into run_notice (run_id, run_state, target) values (@Id, @state, @Target)",
                new { run.Id, state = EnumText.Of(notice.End), notice.Target }).ConfigureAwait(false);
        }
    }

    /// <summary>Writes what is to be told of the end of a run, with the reasons of steps that failed.</summary>
    public static async Task RecordNoticesAsync(this DatabaseTransaction transaction, RunRow run)
    {
        var reasons = run.Current == RunState.Failed
            ? await transaction.QueryAsync<string>(
                "select name || ': ' || message from step where run_id = @Id and state = 'failed' order by position limit 5", run).ConfigureAwait(false)
            : [];
        await transaction.ExecuteAsync(
            """
            insert into notice (run_id, run_state, target, message, ended_at, next_at)
            select run_id, run_state, target, @message, @Now, @Now from run_notice where run_id = @Id and run_state = @State
            """, new { run.Id, run.State, message = LedgerText.Clean(string.Join('\n', [run.Message, .. reasons])), transaction.Now }).ConfigureAwait(false);
    }

    /// <summary>Takes notices that are due, oldest first; whoever took them has until then to send them.</summary>
    public static Task<List<NoticeRow>> ClaimAsync(LedgerDatabase database, int most, TimeSpan lease, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async transaction =>
            {
                var ids = transaction.Dialect.List(await transaction.QueryAsync<long>(
                    $"""
                    select id from notice where state = 'waiting' and (next_at <= @Now or next_at > @farthest)
                     order by id limit @most {transaction.Dialect.SkipLocked}
                    """, new { transaction.Now, farthest = transaction.Now + (long)LongestWait.TotalMilliseconds, most }).ConfigureAwait(false));
                var them = transaction.Dialect.In("n.id", "ids");
                await transaction.ExecuteAsync(
                    $"update notice set attempts = attempts + 1, next_at = @until where {transaction.Dialect.In("id", "ids")}",
                    new { ids, until = transaction.Now + (long)lease.TotalMilliseconds }).ConfigureAwait(false);
                return await transaction.QueryAsync<NoticeRow>(
                    $"select n.*, r.name from notice n join run r on r.id = n.run_id where {them} order by n.id", new { ids }).ConfigureAwait(false);
            }, cancellationToken);

    /// <summary>Writes how an attempt ended.</summary>
    public static Task RecordAsync(LedgerDatabase database, NoticeRow notice, string state, string error, TimeSpan wait, CancellationToken cancellationToken) =>
        database.WriteAsync(
            transaction => transaction.ExecuteAsync(
                "update notice set state = @state, error = @error, next_at = @next where id = @Id and attempts = @Attempts",
                new { notice.Id, notice.Attempts, state, error = LedgerText.Clean(error), next = transaction.Now + (long)wait.TotalMilliseconds }),
            cancellationToken);
}

/// <summary>Something that is told of the end of a run.</summary>
internal sealed class NoticeRow
{
    public long Id { get; init; }
    public string RunId { get; init; } = "";
    public string Name { get; init; } = "";
    public string RunState { get; init; } = "";
    public string Target { get; init; } = "";
    public string Message { get; init; } = "";
    public long EndedAt { get; init; }
    public string State { get; init; } = "";
    public int Attempts { get; init; }
    public string Error { get; init; } = "";

    /// <summary>One line for people.</summary>
    public string Title => $"{Name} {RunState}";

    /// <summary>What follows the title.</summary>
    public string Text => $"{(Message.Length > 0 ? Message + "\n\n" : "")}Run {RunId}: espalier runs {RunId}";
}
