using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Archive;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>What a run was started from.</summary>
/// <param name="FileName">Name of the pipeline file.</param>
/// <param name="Pipeline">Its text.</param>
/// <param name="Parameters">Values of its parameters.</param>
public sealed record RunSource(string FileName, string Pipeline, IReadOnlyDictionary<string, string> Parameters);

/// <summary>Reads what is needed to start a run again.</summary>
internal sealed class RunSources(LedgerDatabase database)
{
    /// <summary>The file of a run, or null for an unknown run.</summary>
    public Task<RunSource?> FindAsync(Guid runId, CancellationToken cancellationToken) =>
        database.ReadAsync(async connection =>
        {
            var row = await connection.QueryFirstOrDefaultAsync<SourceRow>(
                "select file_name, pipeline, parameters from run where id = @id", new { id = runId.ToString() }).ConfigureAwait(false);
            if (row is null)
                return (await ArchivedRun.FindAsync(connection, runId.ToString()).ConfigureAwait(false))?.Source;
            return new RunSource(row.FileName, row.Pipeline, JsonColumn.Read<Dictionary<string, string>>(row.Parameters) ?? []);
        }, cancellationToken);

    /// <summary>Changes of runs and steps in all runs after a position, oldest first; without what steps logged.</summary>
    public Task<IReadOnlyList<RunEventView>> ReadChangesAsync(long after, int limit, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<RunEventView>>(async connection =>
        {
            var rows = await connection.QueryAsync<(long Id, long At, string Type, string Step, string Body)>(
                "select id, at, type, step, body from event where id > @after order by id limit @limit", new { after, limit }).ConfigureAwait(false);
            return [.. rows.Select(r => new RunEventView(r.Id, DateTimeOffset.FromUnixTimeMilliseconds(r.At), r.Type, r.Step, r.Body))];
        }, cancellationToken);

    /// <summary>The position of the newest line of any run's log.</summary>
    public Task<long> LastChangeAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(connection => connection.ExecuteScalarAsync<long>("select coalesce(max(id), 0) from event"), cancellationToken);

    private sealed class SourceRow
    {
        public string FileName { get; init; } = "";
        public string Pipeline { get; init; } = "";
        public string Parameters { get; init; } = "";
    }
}
