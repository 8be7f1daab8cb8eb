using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Integration.Tests.Platform;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;
using Npgsql;

namespace Espalier.Integration.Tests.Drills;

/// <summary>Where the artifacts of a drill are.</summary>
public enum DrillStore
{
    /// <summary>In a folder.</summary>
    Files,

    /// <summary>In an Azurite, whose folder is copied while it is stopped.</summary>
    Azurite,
}

/// <summary>
/// A platform whose databases and store can be copied and put back: real services over RabbitMQ and PostgreSQL, and files or Azurite.
/// </summary>
internal sealed class DrillSite : IAsyncDisposable
{
    public const string TheOrchestrator = "services/Orchestrator", TheTrainer = "services/CptTrainer", TheUpcycler = "services/Upcycler",
        TheEvaluator = "services/Evaluator", TheRegistry = "services/Registry";

    private const string Container = "drill";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(6);
    private readonly BrokerAndDatabase _servers;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("drill-");
    private readonly Dictionary<string, ServiceProcess> _services = [];
    private readonly AzuriteFolder? _azurite;
    private HttpClient? _client;

    private DrillSite(BrokerAndDatabase servers, DrillStore store)
    {
        _servers = servers;
        _azurite = store == DrillStore.Azurite ? new AzuriteFolder(StoreFolder, ServerProcess.FreePort()) : null;
    }

    /// <summary>The ledger's database.</summary>
    public string Ledger { get; private set; } = "";

    /// <summary>The registry's database.</summary>
    public string Names { get; private set; } = "";

    /// <summary>A text to train on.</summary>
    public string TextFile => Path.Combine(_folder.FullName, "text.txt");

    /// <summary>The command line, with the settings that name the databases and the store.</summary>
    public CliProcess Cli => new(Path.Combine(_folder.FullName, "home"), new Dictionary<string, string>
    {
        ["ESPALIER__STORE__LOCATION"] = StoreLocation,
        ["ESPALIER__STORE__CONTAINER"] = Container,
        ["ESPALIER__ORCHESTRATOR__PROVIDER"] = "postgre-sql",
        ["ESPALIER__ORCHESTRATOR__CONNECTION"] = Ledger,
        ["ESPALIER__REGISTRY__DATABASE"] = Names,
    });

    /// <summary>The store.</summary>
    public ArtifactStore Artifacts => new(_azurite is null ? new FileBlobStore(StoreFolder) : AzureBlobStore.Open(_azurite.ConnectionString, Container));

    private string StoreFolder => Path.Combine(_folder.FullName, "store");

    private string StoreLocation => _azurite?.ConnectionString ?? $"file:{StoreFolder}";

    private string Log => string.Join('\n', _services.Values.Select(s => s.Log).Select(l => l.Length <= 3000 ? l : l[^3000..]));

    public static async Task<DrillSite> CreateAsync(BrokerAndDatabase servers, DrillStore store)
    {
        var site = new DrillSite(servers, store) { Ledger = await servers.Database.NewDatabaseAsync(), Names = await servers.Database.NewDatabaseAsync() };
        await File.WriteAllTextAsync(site.TextFile, string.Join("\n\n", Enumerable.Range(0, 200).Select(i => $"Line {i} says that {i} and {i} are {i + i}.")));
        if (site._azurite is not null)
            await site._azurite.StartAsync();
        return site;
    }

    /// <summary>Starts services; the orchestrator first, so that it hears the others.</summary>
    public async Task StartAsync(params string[] projects)
    {
        if (projects.Contains(TheOrchestrator))
        {
            _services[TheOrchestrator] = await StartServiceAsync(TheOrchestrator);
            _client?.Dispose();
            _client = new HttpClient { BaseAddress = _services[TheOrchestrator].Address };
            _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", DistributedPlatform.Key);
        }
        var started = await Task.WhenAll(projects.Where(p => p != TheOrchestrator).Select(async p => (Project: p, Service: await StartServiceAsync(p))));
        foreach (var (project, service) in started)
            _services[project] = service;
    }

    /// <summary>Kills services, as the loss of their machine does; every one when none is named.</summary>
    public async Task KillAsync(params string[] projects)
    {
        var gone = projects.Length == 0 ? [.. _services.Keys] : projects.ToList();
        await Task.WhenAll(gone.Select(project => _services[project].KillAsync()));
        foreach (var project in gone)
        {
            await _services[project].DisposeAsync();
            _services.Remove(project);
        }
    }

    /// <summary>Waits until workers have said what they do, so that a pipeline may name it.</summary>
    public async Task WaitForStagesAsync(params string[] kinds)
    {
        var clock = Stopwatch.StartNew();
        await using var source = NpgsqlDataSource.Create(Ledger);
        while (true)
        {
            await using var command = source.CreateCommand("select count(distinct kind) from stage where kind = any($1)");
            command.Parameters.AddWithValue(kinds);
            if (await command.ExecuteScalarAsync() is long heard && heard == kinds.Length)
                return;
            if (clock.Elapsed > Limit)
                throw new TimeoutException($"Not every stage is offered.\n{Log}");
            await Task.Delay(50);
        }
    }

    /// <summary>Writes both databases to files, one after the other, while everything runs.</summary>
    public async Task DumpDatabasesAsync()
    {
        await _servers.Database.DumpAsync(Ledger, Path.Combine(_folder.FullName, "ledger.sql"));
        await _servers.Database.DumpAsync(Names, Path.Combine(_folder.FullName, "registry.sql"));
    }

    /// <summary>Makes new databases of the files; what came after them is lost.</summary>
    public async Task RestoreDatabasesAsync()
    {
        Ledger = await _servers.Database.RestoreAsync(Path.Combine(_folder.FullName, "ledger.sql"));
        Names = await _servers.Database.RestoreAsync(Path.Combine(_folder.FullName, "registry.sql"));
    }

    /// <summary>Copies the store's folder: records before blobs while the services run, or the whole of it while Azurite is stopped.</summary>
    public async Task CopyStoreAsync()
    {
        if (_azurite is not null)
            await _azurite.StopAsync();
        var copy = Directory.CreateDirectory(Path.Combine(_folder.FullName, "copy")).FullName;
        var parts = Directory.EnumerateFileSystemEntries(StoreFolder).OrderBy(p => Path.GetFileName(p) == "records" ? 0 : 1);
        foreach (var part in parts.ToList())
            await ServerProcess.RunAsync("cp", "-a", part, copy);
        if (_azurite is not null)
            await _azurite.StartAsync();
    }

    /// <summary>Puts the copy in place of the store; what came after it is lost.</summary>
    public async Task RestoreStoreAsync()
    {
        if (_azurite is not null)
            await _azurite.StopAsync();
        Directory.Delete(StoreFolder, recursive: true);
        await ServerProcess.RunAsync("cp", "-a", Path.Combine(_folder.FullName, "copy"), StoreFolder);
        if (_azurite is not null)
            await _azurite.StartAsync();
    }

    /// <summary>Starts a run.</summary>
    public async Task<Guid> SubmitAsync(string yaml)
    {
        using var answer = await _client!.PostAsync("/api/v1/runs", new StringContent(yaml));
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<RunAccepted>(WireJson.Options))!.RunId;
    }

    /// <summary>Waits until a step of a run is in a state.</summary>
    public Task<RunView> WaitForStepAsync(Guid run, string step, StepState state) => WaitAsync(run, v => v.Steps.Single(s => s.Name == step).State == state);

    /// <summary>Waits until a run has ended well.</summary>
    public async Task<RunView> EndAsync(Guid run)
    {
        var ended = await WaitAsync(run, v => v.State is RunState.Succeeded or RunState.Failed or RunState.Cancelled);
        ended.State.ShouldBe(RunState.Succeeded, string.Join(", ", ended.Steps.Select(s => $"{s.Name} {s.State} {s.Message}")));
        return ended;
    }

    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        foreach (var service in _services.Values)
            await service.DisposeAsync();
        if (_azurite is not null)
            await _azurite.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private async Task<RunView> WaitAsync(Guid run, Func<RunView, bool> until)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var view = (await _client!.GetFromJsonAsync<RunView>($"/api/v1/runs/{run}", WireJson.Options))!;
            if (until(view))
                return view;
            if (clock.Elapsed > Limit)
                throw new TimeoutException($"{view.State}: {string.Join(", ", view.Steps.Select(s => $"{s.Name} {s.State} {s.Message}"))}\n{Log}");
            await Task.Delay(50);
        }
    }

    private Task<ServiceProcess> StartServiceAsync(string project) => ServiceProcess.StartAsync(project, new Dictionary<string, string>
    {
        ["messaging:transport"] = "rabbit-mq",
        ["messaging:broker"] = _servers.Broker.Address.ToString(),
        ["store:location"] = StoreLocation,
        ["store:container"] = Container,
        ["orchestrator:provider"] = "postgre-sql",
        ["orchestrator:connection"] = Ledger,
        ["orchestrator:data-folders:0"] = _folder.FullName,
        ["orchestrator-api:key"] = DistributedPlatform.Key,
        ["registry:database"] = Names,
        ["worker:poll-interval"] = "00:00:01",
        ["worker:cache-folder"] = Path.Combine(_folder.FullName, $"cache-{Guid.NewGuid():n}"), // a new machine has none
    });
}
