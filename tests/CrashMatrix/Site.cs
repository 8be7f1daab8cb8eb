using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Sas;
using Espalier.TestKit.Servers;

namespace Espalier.CrashMatrix;

/// <summary>The whole platform as processes: broker, database, store, orchestrator and the stage services, each under a supervisor.</summary>
internal sealed partial class Site : IAsyncDisposable
{
    /// <summary>Short, so that a point takes seconds; the proportions are those of the defaults.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(3);

    private const string Key = "esp_crash_0123456789abcdef";
    private const string Container = "crash";
    private static readonly (string Name, string Project)[] Projects =
    [
        ("cpt-trainer", "services/CptTrainer"), ("upcycler", "services/Upcycler"), ("pruner", "services/Pruner"),
        ("quantizer", "services/Quantizer"), ("evaluator", "services/Evaluator"), ("registry", "services/Registry"),
    ];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("crash-");
    private readonly Dictionary<string, SupervisedService> _services = [];
    private AzuriteServer? _azurite;
    private BlobContainerClient? _container;
    private HttpClient _client = null!;

    private readonly SiteOptions _options;
    private Surroundings _around = Surroundings.Usual;
    private Dictionary<string, string> _common = [];
    private Dictionary<string, string> _worker = [];

    private Site(StoreKind store, Servers servers, SiteOptions options) => (Store, Servers, _options) = (store, servers, options);

    public StoreKind Store { get; }

    public Servers Servers { get; }

    public StoreProxy? Proxy { get; private set; }

    public SiteLedger Ledger { get; private set; } = null!;

    public FaultFolder Faults { get; private set; } = null!;

    public string TextFile => Path.Combine(_folder.FullName, "text.txt");

    public IReadOnlyDictionary<string, SupervisedService> Services => _services;

    /// <summary>Requests to the orchestrator, with the administrator's key.</summary>
    public HttpClient Client => _client;

    /// <summary>The site's folder.</summary>
    public string Folder => _folder.FullName;

    /// <summary>The file with the store's location, where services read it from one.</summary>
    public string LocationFile => Path.Combine(_folder.FullName, "location");

    /// <summary>Starts everything and waits until it is ready.</summary>
    public static async Task<Site> StartAsync(StoreKind store, Servers servers, SiteOptions? options = null)
    {
        var site = new Site(store, servers, options ?? new SiteOptions());
        site._around = await site._options.Around(site.Folder);
        await File.WriteAllTextAsync(site.TextFile, MicroPipeline.Text());
        site.Faults = new FaultFolder(Path.Combine(site._folder.FullName, "faults"));
        var location = store == StoreKind.Files ? $"file:{site.StoreFolder}" : await site.StartAzuriteAsync();
        var database = await servers.Database.NewDatabaseAsync();
        var registry = await servers.Database.NewDatabaseAsync();
        site.Ledger = new SiteLedger(database, registry);
        site.StartServices(location, database, registry);
        foreach (var service in site._services.Values)
            await service.WaitUntilReadyAsync();
        await site.Ledger.WaitForStagesAsync(["train", "upcycle", "prune", "quantize", "evaluate", "register"]);
        return site;
    }

    /// <summary>Starts one more worker, with a cache of its own.</summary>
    public async Task<SupervisedService> AddWorkerAsync(string name, string project, IReadOnlyDictionary<string, string> environment)
    {
        var settings = new Dictionary<string, string>(_worker) { ["worker:cache-folder"] = Path.Combine(_folder.FullName, $"cache-{name}") };
        var around = _around with { Environment = _around.Environment.Where(v => !environment.ContainsKey(v.Key)).Concat(environment).ToDictionary() };
        var service = new SupervisedService(name, project, _common.Concat(settings), Faults.Path, around);
        _services.Add(name, service);
        await service.WaitUntilReadyAsync();
        return service;
    }

    /// <summary>Kills a service and its work process for good.</summary>
    public async Task RemoveAsync(string name)
    {
        if (_services.Remove(name, out var service))
            await service.DisposeAsync();
    }

    /// <summary>A URL of the container that is valid for a while.</summary>
    public string SignedUrl(TimeSpan validity) =>
        _container!.GenerateSasUri(BlobContainerSasPermissions.All, DateTimeOffset.UtcNow + validity).ToString()
            .Replace($":{_azurite!.Port}/", $":{Proxy!.Port}/", StringComparison.Ordinal);

    /// <summary>Empties the store and sets the next fault.</summary>
    public async Task ResetAsync(string fault)
    {
        foreach (var service in _services.Values)
            await service.WaitUntilReadyAsync();
        if (_container is null)
        {
            foreach (var folder in new[] { "blobs", "records" })
            {
                foreach (var old in new DirectoryInfo(Path.Combine(StoreFolder, folder)).EnumerateDirectories())
                    old.Delete(recursive: true);
            }
        }
        else
        {
            await Parallel.ForEachAsync(
                _container.GetBlobsAsync(BlobTraits.None, BlobStates.None, null, default),
                async (blob, token) => await _container.DeleteBlobIfExistsAsync(blob.Name, cancellationToken: token));
        }
        Faults.Set(fault);
    }

    /// <summary>Submits a pipeline, again and again until the orchestrator accepts it; the same id, so that there is one run.</summary>
    public async Task<Guid> SubmitAsync(string yaml, TimeSpan limit)
    {
        var id = Guid.NewGuid();
        var clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using var answer = await _client.PostAsync($"/api/v1/runs?id={id}", new StringContent(yaml));
                if (answer.StatusCode == HttpStatusCode.Accepted)
                    return id;
                if (answer.StatusCode == HttpStatusCode.UnprocessableEntity)
                    throw new InvalidOperationException(await answer.Content.ReadAsStringAsync());
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                // The orchestrator is away.
            }
            if (clock.Elapsed > limit)
                throw new TimeoutException("Nobody accepts the run.");
            await Task.Delay(50);
        }
    }

    /// <summary>Asks for the end of a run.</summary>
    public async Task CancelAsync(Guid run)
    {
        using var answer = await _client.PostAsync($"/api/v1/runs/{run}/cancel", null);
    }

    /// <summary>The last of what every process has logged.</summary>
    public string Logs()
    {
        var text = new StringBuilder();
        foreach (var service in _services.Values)
            text.Append("== ").AppendLine(service.Name).AppendLine(service.Log.Length <= 4000 ? service.Log : service.Log[^4000..]);
        return text.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await Task.WhenAll(_services.Values.Select(s => s.DisposeAsync().AsTask()));
        if (Proxy is not null)
            await Proxy.DisposeAsync();
        if (_azurite is not null)
            await _azurite.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private string StoreFolder => Path.Combine(_folder.FullName, "store");

    private async Task<string> StartAzuriteAsync()
    {
        _azurite = new AzuriteServer();
        await _azurite.InitializeAsync();
        _container = new BlobContainerClient(_azurite.ConnectionString, Container);
        await _container.CreateIfNotExistsAsync();
        var port = Port().Match(_azurite.ConnectionString);
        Proxy = new StoreProxy(int.Parse(port.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));
        return _options.HasLocationFile
            ? SignedUrl(TimeSpan.FromHours(1))
            : _azurite.ConnectionString.Replace(port.Value, $"127.0.0.1:{Proxy.Port}", StringComparison.Ordinal);
    }

    private void StartServices(string location, string database, string registry)
    {
        if (_options.HasLocationFile)
            File.WriteAllText(LocationFile, location);
        _common = new Dictionary<string, string>
        {
            ["messaging:transport"] = "rabbit-mq",
            ["messaging:broker"] = Servers.Broker.Address.ToString(),
            [_options.HasLocationFile ? "store:location-file" : "store:location"] = _options.HasLocationFile ? LocationFile : location,
            ["store:container"] = Container,
        };
        _worker = new() { ["worker:cache-folder"] = Path.Combine(_folder.FullName, "cache"), ["registry:database"] = registry };
        var orchestrator = new Dictionary<string, string>
        {
            ["orchestrator:provider"] = "postgre-sql",
            ["orchestrator:connection"] = database,
            ["orchestrator:data-folders:0"] = _folder.FullName,
            ["orchestrator-api:key"] = Key,
        };
        if (!_options.HasDefaultTimes)
            Shorten(orchestrator);
        Add(PointGenerator.Orchestrator, "services/Orchestrator", orchestrator);
        foreach (var (name, project) in Projects)
            Add(name, project, _worker);
        _client = new HttpClient { BaseAddress = _services[PointGenerator.Orchestrator].Address, Timeout = TimeSpan.FromSeconds(10) };
        _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);

        void Add(string name, string project, Dictionary<string, string> settings) =>
            _services.Add(name, new SupervisedService(name, project, _common.Concat(settings), Faults.Path, _around));
    }

    private void Shorten(Dictionary<string, string> orchestrator)
    {
        _common["messaging:request-timeout"] = "00:00:02";
        orchestrator["orchestrator:lease"] = Lease.ToString();
        orchestrator["orchestrator:sweep-interval"] = "00:00:00.2";
        orchestrator["orchestrator:loss-limit"] = "20";
        orchestrator["orchestrator:crash-limit"] = "3";
        _worker["worker:heartbeat-interval"] = "00:00:00.2";
        _worker["worker:poll-interval"] = "00:00:01";
        _worker["worker:stop-grace"] = "00:00:03";
    }

    [GeneratedRegex(@"127\.0\.0\.1:(\d+)")]
    private static partial Regex Port();
}
