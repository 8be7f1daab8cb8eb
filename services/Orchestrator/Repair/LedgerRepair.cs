using System.Runtime.CompilerServices;
using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.StateMachine;

namespace Espalier.Orchestrator.Repair;

/// <summary>
/// The ledger for a repair: what it believes to be there, and the few changes that bring it back to what is. Works beside a running
/// orchestrator, which finds what has changed in its next round. Nothing is deleted.
/// </summary>
public sealed class LedgerRepair : IAsyncDisposable
{
    /// <summary>How long after its end a lease counts as over: the clocks of two machines may differ by so much.</summary>
    public static readonly TimeSpan ClockDifference = TimeSpan.FromMinutes(1);

    private const int AtOnce = 1000;
    private const string Select =
        """
        select s.id, s.run_id, s.name, s.kind, s.state, s.step_key, s.outputs, s.attempt, s.worker, s.lease_until,
               r.name as run_name, r.file_name, r.state as run_state, r.parameters, o.pipeline
          from step s join run r on r.id = s.run_id left join run_origin o on o.run_id = s.run_id
        """;

    private readonly LedgerDatabase _database;
    private readonly OrchestratorOptions _options;

    internal LedgerRepair(LedgerDatabase database, OrchestratorOptions options) => (_database, _options) = (database, options);

    /// <summary>Opens the ledger.</summary>
    /// <param name="options">Where it is.</param>
    /// <param name="mayMigrate">Whether its schema is brought up to date; else it must be.</param>
    /// <param name="cancellationToken">Stops waiting for it.</param>
    /// <exception cref="UserInputException">Its schema is old, and may not be changed.</exception>
    public static async Task<LedgerRepair> OpenAsync(OrchestratorOptions options, bool mayMigrate, CancellationToken cancellationToken)
    {
        var database = LedgerDatabase.Open(options, TimeProvider.System);
        try
        {
            if (mayMigrate)
                await database.MigrateAsync(cancellationToken).ConfigureAwait(false);
            else if (!await Migrator.IsCurrentAsync(database, LedgerDatabase.Migrations, cancellationToken).ConfigureAwait(false))
                throw new UserInputException("The ledger has the schema of an older version: start its orchestrator first, which brings it up to date.");
            return new LedgerRepair(database, options);
        }
        catch
        {
            await database.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Every step that ended well, in the order of the runs.</summary>
    public async IAsyncEnumerable<LedgerResult> ReadResultsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var effects = await EffectsAsync(cancellationToken).ConfigureAwait(false);
        for (var after = 0L; ;)
        {
            var rows = await _database.ReadAsync(async connection => (await connection.QueryAsync<Row>(
                $"{Select} where s.state in ('succeeded', 'cached') and s.id > @after order by s.id limit @AtOnce",
                new { after, AtOnce }).ConfigureAwait(false)).AsList(), cancellationToken).ConfigureAwait(false);
            foreach (var row in rows)
                yield return row.ToResult(effects);
            if (rows.Count < AtOnce)
                yield break;
            after = rows[^1].Id;
        }
    }

    /// <summary>Every run.</summary>
    public Task<HashSet<Guid>> ReadRunsAsync(CancellationToken cancellationToken) => _database.ReadAsync(
        async connection => (await connection.QueryAsync<string>("select id from run").ConfigureAwait(false)).Select(Guid.Parse).ToHashSet(),
        cancellationToken);

    /// <summary>Every step key that the ledger knows, also of work that is not done yet.</summary>
    public Task<HashSet<Digest>> ReadKeysAsync(CancellationToken cancellationToken) => _database.ReadAsync(
        async connection => (await connection.QueryAsync<string>("select distinct step_key from step where step_key is not null").ConfigureAwait(false))
            .Select(Digest.Parse).ToHashSet(), cancellationToken);

    /// <summary>Steps that run by a lease that is over: nobody works on them.</summary>
    public Task<List<LostLease>> ReadLostLeasesAsync(CancellationToken cancellationToken) => _database.ReadAsync(
        async connection => (await connection.QueryAsync<Row>(
            $"{Select} where s.state = 'running' and s.lease_until < @over order by s.id", new { over = LeaseIsOver }).ConfigureAwait(false))
            .Select(row => row.ToLease()).ToList(), cancellationToken);

    /// <summary>Which of a run's lost results are to be made again; none once the run has ended.</summary>
    /// <param name="run">The run.</param>
    /// <param name="lost">Steps whose results are gone.</param>
    /// <param name="wanted">Those of them that versions need.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public Task<IReadOnlySet<string>> FindNeededAsync(
        LedgerRun run, IReadOnlySet<string> lost, IReadOnlySet<string> wanted, CancellationToken cancellationToken) =>
        !run.IsOpen ? Task.FromResult<IReadOnlySet<string>>(new HashSet<string>()) : _database.ReadAsync(async connection =>
        {
            var id = new { id = run.RunId.ToString() };
            var steps = await connection.QueryAsync<(string Name, string State)>("select name, state from step where run_id = @id", id).ConfigureAwait(false);
            var needs = await connection.QueryAsync<(string Step, string Needs)>("select name, needs from step_need where run_id = @id", id)
                .ConfigureAwait(false);
            return NeededResults.Of(steps.ToDictionary(s => s.Name, s => EnumText.Parse<StepState>(s.State)), needs.AsList(), lost, wanted);
        }, cancellationToken);

    /// <summary>
    /// Puts steps whose results are gone back to waiting, and with them the ready ones that would read those. What runs goes on, and
    /// waits by itself when it misses an input. Returns the steps that were put back; none when the run has ended meanwhile.
    /// </summary>
    /// <param name="run">The run.</param>
    /// <param name="damage">What is wrong with the result, by step.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public Task<List<string>> PutBackAsync(Guid run, IReadOnlyDictionary<string, string> damage, CancellationToken cancellationToken) =>
        _database.WriteAsync(async transaction =>
        {
            var back = new List<string>();
            if (await transaction.LockRunAsync(run).ConfigureAwait(false) is not { IsCancelling: false } row || row.Current.IsEnded())
                return back;
            foreach (var (name, reason) in damage)
            {
                if (await transaction.FindStepAsync(row, name).ConfigureAwait(false) is not { } step || !step.Current.EndedWell())
                    continue;
                await transaction.PutBackAsync(row, step, $"Its result is not in the store, and it is done again: {reason}", null).ConfigureAwait(false);
                back.Add(name);
            }
            var ready = await transaction.QueryAsync<StepRow>(
                $"""
                select * from step where run_id = @Id and state = 'ready' and name in (
                    select n.name from step_need n where n.run_id = @Id and {transaction.Dialect.In("n.needs", "back")}) {transaction.Dialect.ForUpdate}
                """, new { row.Id, back = transaction.Dialect.List(back) }).ConfigureAwait(false);
            foreach (var reader in ready)
                await transaction.WaitForInputAsync(row, reader, "").ConfigureAwait(false);
            await transaction.RecountNeedsAsync(row.Id).ConfigureAwait(false);
            return back;
        }, cancellationToken);

    /// <summary>Gives a step whose lease is over to the next worker; false when that has happened already. It counts as no failure.</summary>
    public Task<bool> ReleaseAsync(LostLease lease, CancellationToken cancellationToken) =>
        _database.WriteAsync(async transaction =>
            await transaction.LockRunAsync(lease.RunId).ConfigureAwait(false) is { } run
            && await transaction.FindStepAsync(run, lease.Step).ConfigureAwait(false) is { Current: StepState.Running } step
            && step.Attempt == lease.Attempt
            && await transaction.FindAsync<long?>(
                "select id from step where id = @Id and lease_until < @over", new { step.Id, over = LeaseIsOver }).ConfigureAwait(false) is not null
            && await AttemptEndings.ApplyAsync(
                transaction, run, step, null, $"Worker {step.Worker} does not work on it any more.", _options).ConfigureAwait(false), cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _database.DisposeAsync();

    private long LeaseIsOver => _database.Now - (long)ClockDifference.TotalMilliseconds;

    private async Task<HashSet<string>> EffectsAsync(CancellationToken cancellationToken)
    {
        var offered = await new StageCatalog(_database, new Wakeups(), _options).ListAsync(cancellationToken).ConfigureAwait(false);
        return [StageKinds.Register, .. offered.Where(s => s.Traits?.IsEffect == true).Select(s => s.Kind)];
    }

    private sealed class Row
    {
        public long Id { get; init; }
        public string RunId { get; init; } = "";
        public string Name { get; init; } = "";
        public string Kind { get; init; } = "";
        public string? StepKey { get; init; }
        public string? Outputs { get; init; }
        public int Attempt { get; init; }
        public string? Worker { get; init; }
        public long? LeaseUntil { get; init; }
        public string RunName { get; init; } = "";
        public string FileName { get; init; } = "";
        public string RunState { get; init; } = "";
        public string Parameters { get; init; } = "{}";
        public string? Pipeline { get; init; }

        public LedgerResult ToResult(HashSet<string> effects) => new(
            new LedgerRun(
                Guid.Parse(RunId), RunName, FileName, EnumText.Parse<RunState>(RunState), JsonColumn.Read<Dictionary<string, string>>(Parameters) ?? [],
                Pipeline),
            Name, Kind, StepKey is null ? null : Digest.Parse(StepKey), JsonColumn.Read<Dictionary<string, ManifestRef>>(Outputs) ?? [],
            effects.Contains(Kind));

        public LostLease ToLease() =>
            new(Guid.Parse(RunId), RunName, Name, Kind, Worker ?? "", Attempt, DateTimeOffset.FromUnixTimeMilliseconds(LeaseUntil ?? 0));
    }
}
