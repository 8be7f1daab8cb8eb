using Espalier.Artifacts.Blobs;
using Espalier.Artifacts;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Servers;
using Npgsql;

namespace Espalier.TestKit.Services.Distributed;

/// <summary>Orchestrator and workers as processes over RabbitMQ and PostgreSQL, with a file store in a temporary folder.</summary>
public sealed class DistributedPlatform : IAsyncDisposable
{
    /// <summary>The administrator's key.</summary>
    public const string Key = "esp_test_0123456789abcdef";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("distributed-");
    private readonly Dictionary<string, string> _common;
    private readonly List<ServiceProcess> _services = [];
    private readonly string _database;
    private RunRequests _runs = null!;

    private DistributedPlatform(BrokerAndDatabase servers, string database, bool withDefaultTimes)
    {
        _workerTimes = withDefaultTimes ? [] : new() { ["worker:heartbeat-interval"] = "00:00:01", ["worker:poll-interval"] = "00:00:02" };
        _orchestratorTimes = withDefaultTimes ? [] : new() { ["orchestrator:lease"] = "00:00:06", ["orchestrator:sweep-interval"] = "00:00:00.2" };
        _database = database;
        _common = new()
        {
            ["messaging:transport"] = "rabbit-mq",
            ["messaging:broker"] = servers.Broker.Address.ToString(),
            ["store:location"] = $"file:{Path.Combine(_folder.FullName, "store")}",
        };
        Artifacts = new ArtifactStore(new FileBlobStore(Path.Combine(_folder.FullName, "store")));
    }

    public ArtifactStore Artifacts { get; }

    /// <summary>The file that steps with a gate wait for.</summary>
    public string Gate => Path.Combine(_folder.FullName, "gate");

    public ServiceProcess Orchestrator { get; private set; } = null!;

    /// <summary>Requests to the orchestrator, with the administrator's key.</summary>
    public HttpClient Client => _runs.Client;

    /// <summary>Connection of the ledger's database.</summary>
    public string Database => _database;

    /// <summary>The end of every process's log.</summary>
    public string Log => string.Join('\n', _services.Select(s => s.Log).Select(l => l.Length <= 3000 ? l : l[^3000..]));

    /// <summary>Environment of the services that are started from now on, such as faults.</summary>
    public Dictionary<string, string> Environment { get; } = [];

    /// <summary>Settings of workers that tests shorten; empty means the defaults of production.</summary>
    private readonly Dictionary<string, string> _workerTimes;

    private readonly Dictionary<string, string> _orchestratorTimes;

    public static async Task<DistributedPlatform> StartAsync(BrokerAndDatabase servers, bool withDefaultTimes = false)
    {
        var platform = new DistributedPlatform(servers, await servers.Database.NewDatabaseAsync(), withDefaultTimes);
        await platform.StartOrchestratorAsync();
        return platform;
    }

    public async Task StartOrchestratorAsync()
    {
        Orchestrator = await StartAsync("services/Orchestrator", new()
        {
            ["orchestrator:provider"] = "postgre-sql",
            ["orchestrator:connection"] = _database,
            ["orchestrator:data-folders:0"] = Path.GetTempPath(),
            ["orchestrator-api:key"] = Key,
        }, [.. _orchestratorTimes.Select(t => (t.Key, t.Value))]);
        _runs = new RunRequests(Orchestrator.Address, Key, () => Log);
    }

    public void OpenGate() => File.WriteAllText(Gate, "open");

    public Task<ServiceProcess> StartWorkerAsync() => StartWorkerAsync("tests/TestKit/NoopService");

    /// <summary>Starts the stage service of a project.</summary>
    public Task<ServiceProcess> StartWorkerAsync(string project, params (string Setting, string Value)[] settings) => StartAsync(project, new()
    {
        ["worker:cache-folder"] = Path.Combine(_folder.FullName, "cache"),
    }, [.. _workerTimes.Select(t => (t.Key, t.Value)), .. settings]);

    /// <summary>Waits until workers have advertised every stage kind.</summary>
    public Task StagesAsync(params string[] kinds) => StagesAsync(TimeSpan.FromSeconds(60), kinds);

    /// <summary>As <see cref="StagesAsync(string[])"/>, within a time.</summary>
    public async Task StagesAsync(TimeSpan within, params string[] kinds)
    {
        using var limit = new CancellationTokenSource(within);
        await using var source = NpgsqlDataSource.Create(_database);
        while (true)
        {
            await using var command = source.CreateCommand("select count(distinct kind) from stage where kind = any($1)");
            command.Parameters.AddWithValue(kinds);
            if (await command.ExecuteScalarAsync(limit.Token) is long heard && heard == kinds.Length)
                return;
            await Task.Delay(50, limit.Token);
        }
    }

    public Task<Guid> SubmitAsync(string yaml) => _runs.SubmitAsync(yaml);

    /// <summary>What the orchestrator hands out as metrics.</summary>
    public Task<string> MetricsAsync() => Client.GetStringAsync("/metrics");

    public async Task CancelAsync(Guid run)
    {
        using var answer = await Client.PostAsync($"/api/v1/runs/{run}/cancel", null);
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
    }

    public Task<RunView> FindAsync(Guid run) => _runs.FindAsync(run);

    public Task<RunView> WaitAsync(Guid run, Func<RunView, bool> until, TimeSpan? limit = null) => _runs.WaitAsync(run, until, limit);

    public Task<RunView> EndAsync(Guid run, TimeSpan? limit = null) => _runs.EndAsync(run, limit);

    public async ValueTask DisposeAsync()
    {
        _runs.Dispose();
        foreach (var service in _services)
            await service.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private async Task<ServiceProcess> StartAsync(string project, Dictionary<string, string> settings, params (string Setting, string Value)[] more)
    {
        var all = _common.Concat(settings).Concat(more.Select(m => KeyValuePair.Create(m.Setting, m.Value)));
        var service = await ServiceProcess.StartAsync(project, all.ToDictionary(), new Dictionary<string, string>(Environment));
        lock (_services)
            _services.Add(service);
        return service;
    }
}
