using Espalier.Contracts;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;
using Espalier.Orchestrator.Triggers;
using Espalier.Orchestrator.Triggers.Watching;
using Espalier.Pipelines.Options;
using Espalier.TestKit.Services.Embedded;
using Espalier.TestKit.Services.Ledger;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace Espalier.TestKit.Services.Triggers;

/// <summary>A ledger with registered pipelines and everything that starts them, with a manual clock and no loop of its own.</summary>
internal sealed class TriggerFixture : IDisposable
{
    /// <summary>Who adds pipelines.</summary>
    public const string Owner = "ada";

    public TriggerFixture(string? postgres = null, IReadOnlyDictionary<string, string?>? settings = null, string? folder = null, TimeSpan? patience = null)
    {
        Ledger = new LedgerFixture(postgres: postgres);
        var database = Ledger.Database;
        var folders = new DataFolders([folder ?? Path.GetTempPath()]);
        Configuration = new ConfigurationBuilder().AddInMemoryCollection(settings ?? new Dictionary<string, string?>()).Build();
        var secrets = new HookSecrets(Configuration);
        var places = new WatchedPlaces(folders, new BlobPlaces(Configuration));
        Pipelines = new RegisteredPipelines(database, Ledger.Wakeups);
        Addition = new PipelineAddition(Pipelines, Ledger.Catalog, secrets, places);
        Triggers = new TriggerLedger(database, Ledger.Wakeups);
        Replays = new TriggerReplays(Triggers);
        Keys = new ApiKeys(database);
        Hooks = new HookReceiver(database, secrets, Ledger.Wakeups, Ledger.Clock);
        Schedules = new ScheduleClock(database, Ledger.Clock, NullLogger<ScheduleClock>.Instance);
        Files = new FileWatch(database, places, Ledger.Wakeups, Ledger.Clock, NullLogger<FileWatch>.Instance)
        {
            Patience = patience ?? TimeSpan.FromMinutes(5),
        };
        History = new TriggerHistory(database, Ledger.Options, Ledger.Clock);
        Planner = new YamlRunPlanner();
    }

    public LedgerFixture Ledger { get; }

    /// <summary>Settings that are read when they are needed.</summary>
    public IConfiguration Configuration { get; }

    public RegisteredPipelines Pipelines { get; }
    public PipelineAddition Addition { get; }
    public TriggerLedger Triggers { get; }
    public TriggerReplays Replays { get; }
    public ApiKeys Keys { get; }
    public HookReceiver Hooks { get; }
    public ScheduleClock Schedules { get; }
    public FileWatch Files { get; }
    public TriggerHistory History { get; }

    /// <summary>What plans runs; tests put one that fails here.</summary>
    public IRunPlanner Planner { get; set; }

    /// <summary>What a pipeline of one step without work looks like, with what starts it.</summary>
    public static string Yaml(string on, string name = "nightly", string stage = "{ uses: noop, with: { text: '${text}' } }") =>
        $"name: {name}\nparams: {{ text: none }}\non: {{ {on} }}\nstages: {{ a: {stage} }}\n";

    /// <summary>A worker offers the stage, and the owner has a key.</summary>
    public async Task<TriggerFixture> StartAsync(ApiRole role = ApiRole.Submitter)
    {
        await Ledger.Catalog.AdvertiseAsync(
            new StageAdvertised { Kind = "noop", Version = "v1", NumericsClass = "test", Schema = OptionSchema.For(typeof(NoopOptions)).ToJson() }, default);
        await Keys.CreateAsync(Owner, role, default);
        return this;
    }

    public Task<PipelineView> AddAsync(string on, string name = "nightly") => Addition.AddAsync(name, $"{name}.yaml", Yaml(on, name), Owner, false, default);

    public Task<bool> HappenAsync(string kind, object fields, string? key = null, Guid? run = null) =>
        Ledger.Database.WriteAsync(
            transaction => transaction.AddEventAsync(
                new HappenedEvent { Key = key ?? Guid.NewGuid().ToString(), Kind = kind, Fields = fields, Run = run }), default);

    public Task<bool> RegisterAsync(string model = "demo", int version = 1, string? key = null, Guid? run = null) =>
        HappenAsync("model.registered", new { model, version, root = "ab", run = "" }, key, run);

    /// <summary>An engine as a process has it; several of them share the ledger.</summary>
    public (TriggerEvaluator Evaluator, FiringStarter Starter) Engine() => (
        new TriggerEvaluator(Ledger.Database),
        new FiringStarter(
            Ledger.Database, new FiringPlans(Planner, Ledger.Catalog), new FiringLedger(Ledger.Runs), Ledger.Wakeups,
            NullLogger<FiringStarter>.Instance));

    /// <summary>Looks at everything and starts what is due, until nothing more happens.</summary>
    public async Task RoundAsync()
    {
        var (evaluator, starter) = Engine();
        await Schedules.RunAsync(default);
        await Files.RunAsync(default);
        while (await evaluator.RunAsync(default) > 0 || await starter.RunAsync(default) > 0)
        {
            // More may be due.
        }
    }

    /// <summary>Runs the one step of every run that is under way.</summary>
    public async Task EndRunsAsync(bool isSuccess = true)
    {
        await Ledger.PrepareAsync();
        while (await Ledger.ClaimAsync() is { } step)
        {
            if (isSuccess)
                await Ledger.Steps.FinishAsync(LedgerFixture.Finished(step), default);
            else
                await Ledger.Steps.FailAsync(LedgerFixture.Failed(step, FailureClass.User), null, default);
        }
    }

    /// <summary>Every run with its steps, oldest first.</summary>
    public async Task<IReadOnlyList<RunView>> RunsAsync()
    {
        var runs = new List<RunView>();
        foreach (var run in (await Ledger.Reader.ListAsync(1000, default)).Reverse())
            runs.Add(await Ledger.RunAsync(run.RunId));
        return runs;
    }

    /// <summary>What a trigger made of the events, oldest first.</summary>
    public async Task<IReadOnlyList<FiringView>> FiringsAsync(string trigger) => [.. (await Triggers.ShowAsync(trigger, 1000, default))!.Firings!.Reverse()];

    public Task<string> ParametersAsync(Guid run) =>
        Ledger.Database.ReadAsync(
            c => Dapper.SqlMapper.QueryFirstAsync<string>(c, "select parameters from run where id = @id", new { id = run.ToString() }), default);

    public void Dispose() => Ledger.Dispose();
}
