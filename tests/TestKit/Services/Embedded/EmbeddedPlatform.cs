using System.Diagnostics;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Ledger;
using Espalier.Stages;
using Espalier.Stages.Worker;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Espalier.TestKit.Services.Embedded;

/// <summary>Orchestrator and worker in this process, over the in-memory bus, a SQLite file and a file store.</summary>
public sealed class EmbeddedPlatform : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);
    private readonly IHost _host;
    private readonly DirectoryInfo _folder;
    private readonly bool _ownsFolder;

    private EmbeddedPlatform(IHost host, DirectoryInfo folder, bool ownsFolder) => (_host, _folder, _ownsFolder) = (host, folder, ownsFolder);

    public NoopHooks Hooks => _host.Services.GetRequiredService<NoopHooks>();
    public IRunReader Runs => _host.Services.GetRequiredService<IRunReader>();
    public ArtifactStore Artifacts => _host.Services.GetRequiredService<ArtifactStore>();
    public IBus Bus => _host.Services.GetRequiredService<IBus>();
    public DirectoryInfo Folder => _folder;

    public static async Task<EmbeddedPlatform> StartAsync(
        DirectoryInfo? folder = null, Action<StageWorkerOptions>? worker = null, Action<IServiceCollection>? services = null,
        MessagingOptions? messaging = null, OrchestratorOptions? orchestrator = null, Func<IBlobStore, IBlobStore>? store = null)
    {
        var ownsFolder = folder is null;
        folder ??= Directory.CreateTempSubdirectory("embedded-");
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        LogContext.ConfigureCurrentLogContext();
        var workerOptions = new StageWorkerOptions
        {
            CacheFolder = Path.Combine(folder.FullName, "cache"),
            PollInterval = TimeSpan.FromSeconds(1),
            StopGrace = TimeSpan.FromSeconds(5),
        };
        worker?.Invoke(workerOptions);
        if (services is not null)
            services(builder.Services);
        else
            builder.Services.AddSingleton<NoopHooks>().AddSingleton<IStage, NoopStage>().AddSingleton<INumericsClass, TestNumerics>();
        var files = new FileBlobStore(Path.Combine(folder.FullName, "store"), new FileBlobStoreOptions { IsDurable = false });
        builder.Services.AddSingleton(store?.Invoke(files) ?? files);
        builder.Services.AddSingleton<ArtifactStore>();
        builder.Services.AddEspalierBus(messaging ?? new MessagingOptions(), bus =>
        {
            bus.AddOrchestratorConsumers();
            bus.AddRunRequestClients();
        });
        builder.Services.AddOrchestrator(orchestrator ?? new OrchestratorOptions
        {
            Connection = $"Data Source={Path.Combine(folder.FullName, "ledger.db")}",
            SweepInterval = TimeSpan.FromMilliseconds(100),
            Lease = TimeSpan.FromSeconds(6),
        });
        builder.Services.AddStageWorker(workerOptions);
        var host = builder.Build();
        await host.StartAsync();
        return new EmbeddedPlatform(host, folder, ownsFolder);
    }

    public async Task<Guid> SubmitAsync(string yaml)
    {
        var id = Guid.NewGuid();
        var submit = new SubmitRun { RunId = id, Pipeline = yaml };
        // As every client does: what is too large for a message travels by the store.
        if (yaml.Length > MessageLimits.LongestPipeline)
            submit = submit with { Pipeline = "", PipelineBlob = (await Artifacts.Blobs.PutAsync(System.Text.Encoding.UTF8.GetBytes(yaml), default)).Digest };
        var answer = await Client<SubmitRun>().GetResponse<RunAccepted, RunRejected>(submit);
        answer.Is(out Response<RunRejected>? rejected).ShouldBeFalse(string.Join('\n', rejected?.Message.Problems ?? []));
        return id;
    }

    public async Task<IReadOnlyList<Problem>> RejectAsync(string yaml)
    {
        var answer = await Client<SubmitRun>().GetResponse<RunAccepted, RunRejected>(new SubmitRun { RunId = Guid.NewGuid(), Pipeline = yaml });
        answer.Is(out Response<RunRejected>? rejected).ShouldBeTrue();
        return rejected!.Message.Problems;
    }

    public async Task CancelAsync(Guid run) => await Client<CancelRun>().GetResponse<RunStateChanged>(new CancelRun(run, "test"));

    public async Task ResumeAsync(Guid run) => await Client<ResumeRun>().GetResponse<RunStateChanged>(new ResumeRun(run));

    /// <summary>Waits until the run ended.</summary>
    public Task<RunView> EndAsync(Guid run) => WaitAsync(run, v => v.State is RunState.Succeeded or RunState.Failed or RunState.Cancelled);

    /// <summary>Waits until the run is as a test wants it.</summary>
    public async Task<RunView> WaitAsync(Guid run, Func<RunView, bool> until)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var view = (await Runs.FindAsync(run, default))!;
            if (until(view))
                return view;
            if (clock.Elapsed > Deadline)
                throw new TimeoutException($"The run is still {view.State}: {string.Join(", ", view.Steps.Select(s => $"{s.Name} {s.State} {s.Message}"))}");
            await Task.Delay(10);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        if (_ownsFolder)
            _folder.Delete(recursive: true);
    }

    private IRequestClient<T> Client<T>() where T : class =>
        Bus.CreateRequestClient<T>(EndpointNames.AddressOf(EndpointNames.Orchestrator), TimeSpan.FromSeconds(20));

    private sealed class TestNumerics : INumericsClass
    {
        public string Value => "test";
    }
}
