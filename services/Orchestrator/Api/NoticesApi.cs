using Dapper;
using Espalier.Orchestrator.Archive;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Notices;

namespace Espalier.Orchestrator.Api;

/// <summary>Who was told of the end of a run, and whether it arrived.</summary>
/// <param name="Target">Who, by the name that the pipeline uses.</param>
/// <param name="RunState">Which end.</param>
/// <param name="State">What became of it: <c>waiting</c>, <c>sent</c> or <c>failed</c>.</param>
/// <param name="Attempts">How often it was tried.</param>
/// <param name="Error">Why the last attempt failed; empty when it did not.</param>
public sealed record NoticeView(string Target, string RunState, string State, int Attempts, string Error);

/// <summary>Notices over HTTP: <c>/api/v1/runs/ID/notices</c>.</summary>
internal static class NoticesApi
{
    public static async Task<IResult> ListAsync(Guid id, LedgerDatabase database, CancellationToken cancellationToken) =>
        TypedResults.Ok(await ReadAsync(database, id, cancellationToken).ConfigureAwait(false));

    /// <summary>The notices of a run, archived or not.</summary>
    public static Task<IReadOnlyList<NoticeView>> ReadAsync(LedgerDatabase database, Guid runId, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<NoticeView>>(async connection =>
        {
            var id = runId.ToString();
            var rows = (await connection.QueryAsync<NoticeRow>(
                $"select * from notice where run_id = @id and {RunReader.NotArchived} order by id", new { id }).ConfigureAwait(false)).AsList();
            if (rows.Count == 0 && await ArchivedRun.FindAsync(connection, id).ConfigureAwait(false) is { } archived)
                return archived.Notices;
            return [.. rows.Select(n => new NoticeView(n.Target, n.RunState, n.State, n.Attempts, n.Error))];
        }, cancellationToken);
}
