using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Archive;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Results;
using Espalier.Pipelines.Planning;

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

    /// <summary>The steps of a run as planned, in order; null for an unknown run, or one whose archive does not tell.</summary>
    public Task<IReadOnlyList<PlannedStep>?> FindPlanAsync(Guid runId, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<PlannedStep>?>(async connection =>
        {
            var plans = (await connection.QueryAsync<string>(
                $"select plan from step where run_id = @id and {RunReader.NotArchived} order by position", new { id = runId.ToString() })
                .ConfigureAwait(false)).AsList();
            return plans.Count > 0
                ? [.. plans.Select(p => JsonColumn.Read<PlannedStep>(p)!)]
                : (await ArchivedRun.FindAsync(connection, runId.ToString()).ConfigureAwait(false))?.Plan;
        }, cancellationToken);

    /// <summary>What the steps of a run were expected to cost; null when nobody had estimated it.</summary>
    public Task<IReadOnlyList<StepEstimate>?> FindEstimatesAsync(Guid runId, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<StepEstimate>?>(async connection =>
            await connection.QueryFirstOrDefaultAsync<string>(
                $"select body from run_estimate where run_id = @id and {RunReader.NotArchived}",
                new { id = runId.ToString() }).ConfigureAwait(false) is { } body
                ? JsonColumn.Read<List<StepEstimate>>(body)
                : (await ArchivedRun.FindAsync(connection, runId.ToString()).ConfigureAwait(false))?.Estimates, cancellationToken);

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
