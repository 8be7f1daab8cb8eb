using System.Data.Common;
using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>A run as the API and the command line show it.</summary>
public sealed record RunView(
    Guid RunId, string Name, string FileName, RunState State, string Message, bool IsCancelling,
    DateTimeOffset Created, DateTimeOffset? Started, DateTimeOffset? Ended, IReadOnlyList<StepView> Steps)
{
    /// <summary>Number of steps by state; in lists, where the steps themselves are left out.</summary>
    public IReadOnlyDictionary<string, int>? Counts { get; init; }

    /// <summary>The registered pipeline that it is a run of; null for a run of a file.</summary>
    public string? Pipeline { get; init; }

    /// <summary>Version of the registered pipeline.</summary>
    public int? PipelineVersion { get; init; }

    /// <summary>In whose name a registered pipeline runs.</summary>
    public string? Owner { get; init; }

    /// <summary>What started it; null when somebody did.</summary>
    public RunCause? Cause { get; init; }
}

/// <summary>A step as the API and the command line show it.</summary>
public sealed record StepView(
    string Name, string Kind, StepState State, int Attempts, string? Worker, Digest? Key, FailureClass? Failure, string Message,
    long Done, long Total, DateTimeOffset? Started, DateTimeOffset? Ended, bool IsImplicit, IReadOnlyList<string> Needs,
    IReadOnlyDictionary<string, ManifestRef> Outputs, IReadOnlyDictionary<string, double> Metrics)
{
    /// <summary>What whoever uses its outputs must know, such as what other loaders cannot run.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Why it does not run yet; null once it runs or has ended.</summary>
    public StepWait? Wait { get; init; }
}

/// <summary>One line of a run's log.</summary>
public sealed record RunEventView(long Id, DateTimeOffset At, string Type, string Step, string Body);

/// <summary>Reads runs. Works beside everything else and sees a committed state.</summary>
public interface IRunReader
{
    /// <summary>Why the ledger cannot be written, such as a full disk; null when it can.</summary>
    DatabaseTrouble? Trouble { get; }

    /// <summary>A run with its steps in planned order, or null.</summary>
    Task<RunView?> FindAsync(Guid runId, CancellationToken cancellationToken);

    /// <summary>The newest runs, without steps.</summary>
    Task<IReadOnlyList<RunView>> ListAsync(int limit, CancellationToken cancellationToken);

    /// <summary>Lines of a run's log after the given one, oldest first.</summary>
    Task<IReadOnlyList<RunEventView>> ReadLogAsync(Guid runId, long after, int limit, CancellationToken cancellationToken);
}

/// <inheritdoc/>
internal sealed class RunReader(LedgerDatabase database, StepWaits waits) : IRunReader
{
    public DatabaseTrouble? Trouble => database.Trouble;

    /// <summary>A run, and why a step of it waits whose needs are done.</summary>
    private const string SelectRun =
        """
        select r.*, (select s.message from step s
                      where s.run_id = r.id and s.state = 'waiting' and s.waiting_on = 0 and s.message <> '' order by s.position limit 1) as held
          from run r
        """;

    public Task<RunView?> FindAsync(Guid runId, CancellationToken cancellationToken) =>
        database.ReadAsync(async connection =>
        {
            var id = new { id = runId.ToString() };
            var run = await connection.QueryFirstOrDefaultAsync<RunRow>($"{SelectRun} where r.id = @id", id).ConfigureAwait(false);
            if (run is null)
                return null;
            var steps = (await connection.QueryAsync<StepRow>("select * from step where run_id = @id order by position", id).ConfigureAwait(false)).AsList();
            var reasons = await waits.OfAsync(connection, steps).ConfigureAwait(false);
            var origins = await OriginsAsync(connection, [run.Id]).ConfigureAwait(false);
            return WithOrigin(View(run, [.. steps.Select(s => View(s) with { Wait = reasons.GetValueOrDefault(s.Name) })]), origins);
        }, cancellationToken);

    public Task<IReadOnlyList<RunView>> ListAsync(int limit, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<RunView>>(async connection =>
        {
            var runs = await connection.QueryAsync<RunRow>($"{SelectRun} order by r.number desc limit @limit", new { limit }).ConfigureAwait(false);
            var counts = await CountsAsync(connection, limit).ConfigureAwait(false);
            var origins = await OriginsAsync(connection, [.. runs.Select(r => r.Id)]).ConfigureAwait(false);
            return [.. runs.Select(r => WithOrigin(View(r, []), origins) with { Counts = counts[r.Id].ToDictionary(c => c.State, c => (int)c.Number) })];
        }, cancellationToken);

    private static async Task<ILookup<string, (string RunId, string State, long Number)>> CountsAsync(DbConnection connection, int limit) =>
        (await connection.QueryAsync<(string RunId, string State, long Number)>(
            """
            select run_id, state, count(*) from step
             where run_id in (select id from run order by number desc limit @limit)
             group by run_id, state
            """, new { limit }).ConfigureAwait(false)).ToLookup(c => c.RunId);

    public Task<IReadOnlyList<RunEventView>> ReadLogAsync(Guid runId, long after, int limit, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<RunEventView>>(async connection =>
        {
            var lines = await connection.QueryAsync<EventRow>(
                "select id, at, type, step, body from event where run_id = @id and id > @after order by id limit @limit",
                new { id = runId.ToString(), after, limit }).ConfigureAwait(false);
            return [.. lines.Select(l => new RunEventView(l.Id, Time(l.At), l.Type, l.Step, l.Body))];
        }, cancellationToken);

    private async Task<Dictionary<string, RunOriginRow>> OriginsAsync(DbConnection connection, IReadOnlyList<string> runs) =>
        (await connection.QueryAsync<RunOriginRow>(
            $"select * from run_origin where {database.Dialect.In("run_id", "runs")}", new { runs = database.Dialect.List(runs) }).ConfigureAwait(false))
            .ToDictionary(o => o.RunId);

    private static RunView WithOrigin(RunView view, Dictionary<string, RunOriginRow> origins) =>
        origins.TryGetValue(view.RunId.ToString(), out var origin)
            ? view with { Pipeline = origin.Pipeline, PipelineVersion = origin.Version, Owner = origin.Owner, Cause = origin.Cause }
            : view;

    private static RunView View(RunRow run, IReadOnlyList<StepView> steps) => new(
        run.RunId, run.Name, run.FileName, run.Current, run.Message.Length > 0 ? run.Message : run.Held ?? "", run.IsCancelling,
        Time(run.CreatedAt), Time(run.StartedAt), Time(run.EndedAt), steps);

    private static StepView View(StepRow step)
    {
        var plan = JsonColumn.Read<Espalier.Pipelines.Planning.PlannedStep>(step.Plan)!;
        return new(
            step.Name, step.Kind, step.Current, step.Attempt, step.Worker, step.Key,
            step.Failure is null ? null : EnumText.Parse<FailureClass>(step.Failure), step.Message, step.Done, step.Total,
            Time(step.StartedAt), Time(step.EndedAt), plan.IsImplicit, plan.Needs, step.ReadOutputs(), step.ReadMetrics()) { Notes = step.ReadNotes() };
    }

    private static DateTimeOffset Time(long at) => DateTimeOffset.FromUnixTimeMilliseconds(at);

    private static DateTimeOffset? Time(long? at) => at is { } value ? Time(value) : null;

    private sealed class EventRow
    {
        public long Id { get; init; }
        public long At { get; init; }
        public string Type { get; init; } = "";
        public string Step { get; init; } = "";
        public string Body { get; init; } = "";
    }
}
