using System.Data.Common;
using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Archive;
using Espalier.Orchestrator.Database;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Ledger;

/// <inheritdoc/>
internal sealed class RunReader(LedgerDatabase database, StepWaits waits) : IRunReader
{
    public DatabaseTrouble? Trouble => database.Trouble;

    /// <summary>A run, and why a step of it waits whose needs are done.</summary>
    private const string SelectRun =
        $"""
        select {RunRow.Columns}, (select s.message from step s
                      where s.run_id = r.id and s.state = 'waiting' and s.waiting_on = 0 and s.message <> '' order by s.position limit 1) as held
          from run r where r.archived_at is null
        """;

    /// <summary>What an archived run has left in other tables is on its way out.</summary>
    internal const string NotArchived = "not exists (select 1 from run a where a.id = @id and a.archived_at is not null)";

    public Task<RunView?> FindAsync(Guid runId, CancellationToken cancellationToken) =>
        database.ReadAsync(async connection =>
        {
            var id = new { id = runId.ToString() };
            var run = await connection.QueryFirstOrDefaultAsync<RunRow>($"{SelectRun} and r.id = @id", id).ConfigureAwait(false);
            if (run is null)
                return (await ArchivedRun.FindAsync(connection, id.id).ConfigureAwait(false))?.Run;
            var steps = (await connection.QueryAsync<StepRow>("select * from step where run_id = @id order by position", id).ConfigureAwait(false)).AsList();
            var reasons = await waits.OfAsync(connection, steps).ConfigureAwait(false);
            var origins = await OriginsAsync(connection, [run.Id]).ConfigureAwait(false);
            return WithOrigin(View(run, [.. steps.Select(s => View(s) with { Wait = reasons.GetValueOrDefault(s.Name) })]), origins);
        }, cancellationToken);

    public Task<RunSource?> FindSourceAsync(Guid runId, CancellationToken cancellationToken) =>
        new RunSources(database).FindAsync(runId, cancellationToken);

    public Task<RunState?> FindStateAsync(Guid runId, CancellationToken cancellationToken) =>
        database.ReadAsync<RunState?>(async connection =>
            await connection.QueryFirstOrDefaultAsync<string>(
                "select state from run where id = @id and archived_at is null union all select state from run_archive where id = @id",
                new { id = runId.ToString() }).ConfigureAwait(false) is { } state
                ? EnumText.Parse<RunState>(state)
                : null, cancellationToken);

    public Task<IReadOnlyList<RunView>> ListAsync(RunQuery query, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<RunView>>(async connection =>
        {
            if (query is { IsArchived: true, Order.Field: RunOrderField.Duration })
                throw new UserInputException("Archived runs are not ordered by duration: order them by created or name.");
            if (await ConditionsAsync(connection, query).ConfigureAwait(false) is not var (conditions, arguments))
                return [];
            if (query.IsArchived)
                return await ListArchivedAsync(connection, conditions, arguments).ConfigureAwait(false);
            var runs = (await connection.QueryAsync<RunRow>($"{SelectRun} {conditions} limit @Limit", arguments).ConfigureAwait(false)).AsList();
            var ids = runs.Select(r => r.Id).ToList();
            var counts = await CountsAsync(connection, ids).ConfigureAwait(false);
            var origins = await OriginsAsync(connection, ids).ConfigureAwait(false);
            return [.. runs.Select(r => WithOrigin(View(r, []), origins) with { Counts = counts[r.Id].ToDictionary(c => c.State, c => (int)c.Number) })];
        }, cancellationToken);

    private static async Task<IReadOnlyList<RunView>> ListArchivedAsync(DbConnection connection, string conditions, DynamicParameters arguments)
    {
        var rows = await connection.QueryAsync<(string Summary, long ArchivedAt, long Ordinal)>(
            $"select summary, archived_at, ordinal from run_archive r where true {conditions} limit @Limit", arguments).ConfigureAwait(false);
        return [.. rows.Select(r => JsonColumn.Read<RunView>(r.Summary)! with { Archived = Time(r.ArchivedAt), Ordinal = r.Ordinal })];
    }

    /// <summary>What a list has in its where and its order; null when no run can be in it.</summary>
    private async Task<(string Conditions, DynamicParameters Arguments)?> ConditionsAsync(DbConnection connection, RunQuery query)
    {
        var conditions = new List<string>();
        var arguments = new DynamicParameters(new { query.Limit, now = database.Now });
        void Add(string condition, object values)
        {
            conditions.Add($"and {condition}");
            arguments.AddDynamicParams(values);
        }

        if (query.State is { } state)
            Add("r.state = @state", new { state = EnumText.Of(state) });
        if (query.Name is { } name)
            Add("r.name = @name", new { name });
        if (query.Ordinal is { } ordinal)
            Add("r.ordinal = @ordinal", new { ordinal });
        if (query.Before is { } before)
            Add(RunOrderSql.After(query.Order), await RunOrderSql.PlaceAsync(connection, query.Order, before, database.Now).ConfigureAwait(false));
        if (query.IdPrefix is { } prefix)
        {
            if (RunQuery.IdsOf(prefix) is not var (low, high))
                return null;
            Add("r.id between @low and @high", new { low, high });
        }
        conditions.Add(RunOrderSql.Of(query.Order, isByIds: query.IdPrefix is not null));
        return (string.Join(' ', conditions), arguments);
    }

    private async Task<ILookup<string, (string RunId, string State, long Number)>> CountsAsync(DbConnection connection, IReadOnlyList<string> runs) =>
        (await connection.QueryAsync<(string RunId, string State, long Number)>(
            $"select run_id, state, count(*) from step where {database.Dialect.In("run_id", "runs")} group by run_id, state",
            new { runs = database.Dialect.List(runs) }).ConfigureAwait(false)).ToLookup(c => c.RunId);

    public Task<IReadOnlyList<RunEventView>> ReadLogAsync(Guid runId, long after, int limit, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<RunEventView>>(async connection =>
        {
            var lines = (await connection.QueryAsync<EventRow>(
                $"select id, at, type, step, body from event where run_id = @id and id > @after and {NotArchived} order by id limit @limit",
                new { id = runId.ToString(), after, limit }).ConfigureAwait(false)).AsList();
            if (lines.Count == 0 && await ArchivedRun.FindAsync(connection, runId.ToString()).ConfigureAwait(false) is { } archived)
                return [.. archived.Log.Where(l => l.Id > after).Take(limit)];
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
        Time(run.CreatedAt), Time(run.StartedAt), Time(run.EndedAt), steps)
    {
        Ordinal = run.Ordinal,
        Owner = run.SubmittedBy.Length > 0 ? run.SubmittedBy : null,
        Reason = run.Reason.Length > 0 ? run.Reason : null,
    };

    private static StepView View(StepRow step)
    {
        var plan = JsonColumn.Read<PlannedStep>(step.Plan)!;
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
