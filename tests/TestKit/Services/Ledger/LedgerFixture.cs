using System.Text.Json;
using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Archive;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Planning;
using Microsoft.Extensions.Logging.Abstractions;

namespace Espalier.TestKit.Services.Ledger;

/// <summary>A fresh ledger in a temporary file, with a manual clock.</summary>
internal sealed class LedgerFixture : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("ledger-");
    private readonly LedgerDatabase _database;
    private readonly System.Collections.Concurrent.ConcurrentBag<(string Worker, HeldAttempt Attempt)> _held = [];

    /// <summary>A ledger in a file, or in the PostgreSQL database that the connection names.</summary>
    public LedgerFixture(OrchestratorOptions? options = null, string? postgres = null)
    {
        Options = options ?? new OrchestratorOptions();
        _database = new LedgerDatabase(
            postgres is null ? new SqliteDialect($"Data Source={Path.Combine(_folder.FullName, "ledger.db")}") : new PostgresDialect(postgres), Clock);
        _database.MigrateAsync(default).GetAwaiter().GetResult();
        Catalog = new StageCatalog(_database, Wakeups, Options);
        Runs = new RunLedger(_database, Wakeups, Options);
        Steps = new StepLedger(_database, Wakeups, Options);
        Preparations = new StepPreparations(_database, Catalog, Wakeups);
        Sweep = new LedgerSweep(_database, Catalog, Wakeups, Options, NullLogger<LedgerSweep>.Instance);
        Waits = new StepWaits(_database, Catalog, Options);
        Reader = new RunReader(_database, Waits);
        Sources = new RunSources(_database);
        Workers = new WorkerReader(_database);
        Outbox = new Outbox(_database, LedgerMessages.Outbox, Clock);
    }

    public OrchestratorOptions Options { get; }
    public ManualClock Clock { get; } = new();
    public Wakeups Wakeups { get; } = new();
    public StageCatalog Catalog { get; }
    public RunLedger Runs { get; }
    public StepLedger Steps { get; }
    public StepPreparations Preparations { get; }
    public LedgerSweep Sweep { get; }
    public StepWaits Waits { get; }
    public RunReader Reader { get; }
    public RunSources Sources { get; }
    public WorkerReader Workers { get; }
    public Outbox Outbox { get; }
    public LedgerDatabase Database => _database;

    /// <summary>What archives its runs, as a process has it that was just started.</summary>
    public RunArchiver NewArchiver(int rowsAtOnce = 2000) =>
        new(_database, Reader, Sources, Options, Clock, NullLogger<RunArchiver>.Instance) { RowsAtOnce = rowsAtOnce };

    /// <summary>The text by which claims of the stages of <see cref="AdvertiseAsync"/> match.</summary>
    public static string Offer(string kind) => StageCatalog.Offer(kind, "v1", "test");

    public Task AdvertiseAsync(string kind = "noop", string version = "v1", string device = "cpu") => Catalog.AdvertiseAsync(new StageAdvertised
    {
        Kind = kind,
        Device = device,
        Version = version,
        NumericsClass = "test",
        Schema = JsonSerializer.SerializeToElement(new { kind = "object" }),
    }, default);

    /// <summary>A run of steps written as <c>name: need need</c>.</summary>
    public async Task<Guid> SubmitAsync(params string[] steps)
    {
        var id = Guid.NewGuid();
        await Runs.SubmitAsync(new SubmitRun { RunId = id, Pipeline = "" }, Plan(steps), default);
        return id;
    }

    public static PipelinePlan Plan(params string[] steps) => new()
    {
        Name = "test",
        Steps =
        [
            .. steps.Select(s => s.Split(':', StringSplitOptions.TrimEntries)).Select(s => new PlannedStep
            {
                Name = s[0],
                Kind = "noop",
                Options = JsonSerializer.SerializeToElement(new { name = s[0] }),
                Inputs = [],
                Needs = s.Length > 1 ? s[1].Split(' ', StringSplitOptions.RemoveEmptyEntries) : [],
            }),
        ],
    };

    /// <summary>Makes every step whose needs are done ready, as the scheduler would; returns how many there were.</summary>
    public async Task<int> PrepareAsync(long? memoryBytes = null)
    {
        var steps = await Preparations.ListAsync(1000, default);
        foreach (var step in steps)
        {
            var key = Digest.Of(System.Text.Encoding.UTF8.GetBytes($"{step.RunId}/{step.Name}"));
            await Preparations.ReadyAsync(step, key, Offer(step.Kind), [], null, default, memoryBytes);
        }
        return steps.Count;
    }

    /// <summary>A claim of a worker that keeps track of what it holds.</summary>
    public async Task<StepRow?> ClaimAsync(string worker = "w1", string kind = "noop", int slots = 0, long memoryBytes = 0)
    {
        var step = await ClaimAsync(worker, [Offer(kind)], ["cpu"], [.. _held.Where(h => h.Worker == worker).Select(h => h.Attempt)], slots, memoryBytes);
        if (step is not null)
            _held.Add((worker, new HeldAttempt(step.Run, step.Name, step.Attempt)));
        return step;
    }

    /// <summary>A claim with exactly these values.</summary>
    public Task<StepRow?> ClaimAsync(
        string worker, string[] offers, string[] devices, HeldAttempt[] holding, int slots = 0, long memoryBytes = 0) => Steps.ClaimAsync(
        new ClaimStep
        {
            Worker = worker, Kinds = ["noop"], Devices = devices, Holding = holding, Slots = slots, MemoryBytes = memoryBytes, Offers = OffersOf(offers),
        }, default);

    /// <summary>Offers as a claim names them.</summary>
    public static IReadOnlyList<StageOffer> OffersOf(params string[] offers) =>
        [.. offers.Select(o => o.Split('@', 3)).Select(o => new StageOffer(o[0], o[1], o[2]))];

    public static StepFinished Finished(StepRow step) => new()
    {
        Step = new StepAddress(step.Run, step.Name, step.Key!.Value),
        Fence = step.Attempt,
        Worker = step.Worker!,
        Outputs = new Dictionary<string, ManifestRef>(),
        Metrics = new Dictionary<string, double> { ["loss"] = 1 },
    };

    public static StepFailed Failed(StepRow step, FailureClass? failure, string message = "it broke") => new()
    {
        Step = new StepAddress(step.Run, step.Name, step.Key!.Value),
        Fence = step.Attempt,
        Worker = step.Worker!,
        Failure = failure,
        Message = message,
    };

    public static StepHeartbeat Beat(StepRow step) => new()
    {
        Step = new StepAddress(step.Run, step.Name, step.Key!.Value), Fence = step.Attempt, Worker = step.Worker!,
    };

    public async Task<RunView> RunAsync(Guid id) => (await Reader.FindAsync(id, default))!;

    public async Task<StepView> StepAsync(Guid id, string name) => (await RunAsync(id)).Steps.Single(s => s.Name == name);

    public Task<int> CountAsync(string sql) => Database.ReadAsync(c => c.ExecuteScalarAsync<int>(sql), default);

    public void Dispose()
    {
        _database.Dispose();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }
}

/// <summary>A clock that only moves when a test advances it.</summary>
internal sealed class ManualClock : TimeProvider
{
    private DateTimeOffset _now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override DateTimeOffset GetUtcNow() => _now + WallJump;

    public override long GetTimestamp() => _now.Ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Offset of the wall clock; the monotonic clock has none.</summary>
    public TimeSpan WallJump { get; set; }

    public void Advance(TimeSpan time) => _now += time;
}
