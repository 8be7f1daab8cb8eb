using Espalier.Artifacts;
using Espalier.Cli.Stores;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Ledger;
using Espalier.Stages;
using Espalier.Stages.Worker;
using Espalier.Modeling.Runtime;
using MassTransit;

namespace Espalier.Cli.Hosting;

/// <summary>How the platform in this process runs.</summary>
internal sealed record EmbeddedMode
{
    /// <summary>Whether results of earlier runs are ignored.</summary>
    public bool Recompute { get; init; }

    /// <summary>Whether steps may run programs of this machine.</summary>
    public bool Commands { get; init; }
}

/// <summary>The whole platform in this process: in-memory bus, SQLite ledger, file store, orchestrator, and a worker with every stage.</summary>
internal sealed class EmbeddedHost : IAsyncDisposable
{
    private const long LeastSpace = 8L << 20; // the store keeps half of it free for the ledger
    private readonly IHost _host;
    private readonly IDisposable _claim;

    private EmbeddedHost(IHost host, IDisposable claim, string home) => (_host, _claim, Home) = (host, claim, home);

    /// <summary>The folder where everything is kept.</summary>
    public string Home { get; }

    /// <summary>The store that runs use.</summary>
    public ArtifactStore Store => _host.Services.GetRequiredService<ArtifactStore>();

    /// <summary>The ledger, for reading.</summary>
    public IRunReader Runs => _host.Services.GetRequiredService<IRunReader>();

    /// <summary>Events of the runs in this process.</summary>
    public RunEvents Events => _host.Services.GetRequiredService<RunEvents>();

    /// <summary>Starts the platform.</summary>
    /// <param name="home">Where everything is kept.</param>
    /// <param name="models">Registered models that pipelines may reference.</param>
    /// <param name="mode">How it runs.</param>
    /// <param name="cancellationToken">Stops the start.</param>
    public static async Task<EmbeddedHost> StartAsync(EspalierHome home, RegisteredModels models, EmbeddedMode mode, CancellationToken cancellationToken)
    {
        var claim = home.Create().Claim();
        try
        {
            RequireSpace(home);
            await Task.Run(LoadEngine, cancellationToken).ConfigureAwait(false);
            var host = Build(home, models, mode);
            var events = host.Services.GetRequiredService<RunEvents>();
            events.Await(host.Services.GetServices<IStage>().Where(s => mode.Commands || !s.Traits.RunsPrograms).Select(s => s.Kind));
            await host.StartAsync(cancellationToken).ConfigureAwait(false);
            await events.WaitForStagesAsync(cancellationToken).ConfigureAwait(false);
            return new EmbeddedHost(host, claim, home.Path);
        }
        catch
        {
            claim.Dispose();
            throw;
        }
    }

    /// <summary>On a full disk nothing that a run finds out could be kept.</summary>
    private static void RequireSpace(EspalierHome home)
    {
        var free = new DriveInfo(home.Path).AvailableFreeSpace;
        if (free < LeastSpace)
            throw new IOException(
                $"The disk of {home.Path} is full: {Amounts.Bytes(free)} are free, and a run needs at least {Amounts.Bytes(LeastSpace)}. "
                    + "Free some space there, or set ESPALIER_HOME to a folder on a larger disk.");
    }

    /// <summary>Step keys include the numerics class, so nothing can start without the engine.</summary>
    private static void LoadEngine()
    {
        try
        {
            TorchRuntime.Initialize();
        }
        catch (Exception exception) when (
            exception is DllNotFoundException or TypeInitializationException or EntryPointNotFoundException or BadImageFormatException)
        {
            throw new InvalidOperationException(
                $"The tensor engine does not load: {(exception.InnerException ?? exception).Message} espalier doctor says what to do.", exception);
        }
    }

    private static IHost Build(EspalierHome home, RegisteredModels models, EmbeddedMode mode)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ApplicationName = "espalier" });
        builder.Logging.SetMinimumLevel(LogLevel.Information).AddFilter("MassTransit", LogLevel.Warning).AddProvider(new FileLog(home.LogFile));
        var files = home.OpenStore();
        builder.Services
            .AddSingleton<IHostLifetime, CallerDecides>()
            .AddSingleton(mode.Recompute ? new ArtifactStore(new RecomputingBlobStore(files.Blobs)) : files)
            .AddSingleton<RunEvents>()
            .AddSingleton<IRegisteredModels>(models)
            .AddAllStages(home)
            .AddOrchestrator(new OrchestratorOptions { Connection = home.Connection, WaitsOutOutages = false })
            .AddStageWorker(new StageWorkerOptions
            {
                CacheFolder = home.CacheFolder, HeartbeatInterval = TimeSpan.FromSeconds(1), Commands = mode.Commands,
            })
            .AddEspalierBus(new MessagingOptions(), bus =>
            {
                bus.AddOrchestratorConsumers();
                bus.AddRunRequestClients();
                bus.AddConsumer<RunEventsConsumer>();
            });
        return builder.Build();
    }

    /// <summary>Starts a run.</summary>
    /// <exception cref="UserInputException">The orchestrator refuses it.</exception>
    public async Task SubmitAsync(SubmitRun run, CancellationToken cancellationToken)
    {
        var text = System.Text.Encoding.UTF8.GetBytes(run.Pipeline);
        if (text.Length > MessageLimits.LongestPipeline)
            run = run with { Pipeline = "", PipelineBlob = (await Store.Blobs.PutAsync(text, cancellationToken).ConfigureAwait(false)).Digest };
        await AskAsync<SubmitRun, RunAccepted>(run, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Ends runs that a killed process left unfinished, so that they do not compete with a new one. This process alone
    /// works in the home, so nothing else follows them; saved positions stay, and the same steps of a new run resume from there.
    /// </summary>
    public async Task CancelOrphansAsync(CancellationToken cancellationToken)
    {
        foreach (var run in await Runs.ListAsync(100, cancellationToken).ConfigureAwait(false))
        {
            if (run.State is RunState.Queued or RunState.Running)
                await CancelAsync(run.RunId).ConfigureAwait(false);
        }
    }

    /// <summary>Asks a run to stop; steps save their positions.</summary>
    public Task CancelAsync(Guid runId) => AskAsync<CancelRun, RunStateChanged>(new CancelRun(runId, "Interrupted at the terminal."), CancellationToken.None);

    /// <summary>Makes the failed and cancelled steps of a run ready again.</summary>
    /// <exception cref="UserInputException">There is no such run.</exception>
    public Task ResumeAsync(Guid runId, CancellationToken cancellationToken) => AskAsync<ResumeRun, RunStateChanged>(new ResumeRun(runId), cancellationToken);

    /// <summary>Stops the platform; running steps save their positions.</summary>
    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync().ConfigureAwait(false);
        if (_host is IAsyncDisposable host)
            await host.DisposeAsync().ConfigureAwait(false);
        _claim.Dispose();
    }

    private async Task AskAsync<TRequest, TAnswer>(TRequest request, CancellationToken cancellationToken)
        where TRequest : class
        where TAnswer : class
    {
        await using var scope = _host.Services.CreateAsyncScope();
        var client = scope.ServiceProvider.GetRequiredService<IRequestClient<TRequest>>();
        var answer = await client.GetResponse<TAnswer, RunRejected>(request, cancellationToken, RequestTimeout.After(s: 30)).ConfigureAwait(false);
        if (answer.Is(out Response<RunRejected>? rejected))
            throw new UserInputException(rejected.Message.Problems);
    }

    /// <summary>The command line handles signals (<see cref="Interrupts"/>), so the host must not.</summary>
    private sealed class CallerDecides : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
