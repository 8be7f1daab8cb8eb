using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Messaging.Broker;
using Espalier.TestKit.Servers;

namespace Espalier.TestKit.Services.Distributed;

/// <summary>
/// Services of compose files as processes with the environment that the files give them, over a real RabbitMQ with their accounts and a real
/// PostgreSQL. Addresses of the containers' network, folders of the containers and the store are replaced; nothing else is.
/// </summary>
public sealed class ComposedPlatform : IAsyncDisposable
{
    /// <summary>The administrator's key.</summary>
    public const string Key = "esp_test_0123456789abcdef";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("composed-");
    private readonly Dictionary<string, ServiceProcess> _services = [];
    private readonly Dictionary<string, string> _variables;
    private readonly List<(string InContainer, string Here)> _places;
    private readonly IReadOnlyDictionary<string, ComposeService> _files;
    private RunRequests? _runs;

    private ComposedPlatform(BrokerAndDatabase servers, string database, string[] files, IReadOnlyDictionary<string, string> variables)
    {
        _files = ComposeFiles.Read(files);
        _variables = new(variables)
        {
            ["ADMIN_KEY"] = Key,
            ["DATABASE_PASSWORD"] = "unused",
            ["STORE_CONNECTION"] = $"file:{Path.Combine(_folder.FullName, "store")}",
        };
        foreach (var account in ServiceAccounts.All)
            _variables[PasswordOf(account.Name)] = $"password-of-{account.Name}";
        _places =
        [
            ("amqp://rabbitmq:5672/", servers.Broker.Address.ToString()),
            ("Host=postgres;Database=espalier;Username=espalier;Password=unused", database),
            ("http://0.0.0.0:8080", "http://127.0.0.1:0"),
            ("/var/cache/espalier", Path.Combine(_folder.FullName, "cache")),
            ("/data", Data.FullName),
        ];
        Artifacts = new ArtifactStore(new FileBlobStore(Path.Combine(_folder.FullName, "store")));
    }

    /// <summary>What the services see as <c>/data</c>.</summary>
    public DirectoryInfo Data => _folder.CreateSubdirectory("data");

    /// <summary>The store.</summary>
    public ArtifactStore Artifacts { get; }

    /// <summary>Requests about runs.</summary>
    public RunRequests Runs => _runs ??= new RunRequests(_services["orchestrator"].Address, Key, () => Log);

    /// <summary>Where a service listens.</summary>
    public Uri AddressOf(string service) => _services[service].Address;

    /// <summary>Requests to another service, with the administrator's key.</summary>
    public RunRequests Requests(string service) => new(_services[service].Address, Key, () => Log);

    /// <summary>The end of every process's log.</summary>
    public string Log => string.Join('\n', _services.Values.Select(s => s.Log).Select(l => l.Length <= 3000 ? l : l[^3000..]));

    /// <summary>Gives the broker the platform's accounts, and starts services.</summary>
    /// <param name="servers">Broker and database.</param>
    /// <param name="files">Names of compose files.</param>
    /// <param name="variables">What whoever starts them writes into <c>.env</c>.</param>
    /// <param name="added">Settings that the files do not have, by service.</param>
    /// <param name="services">Which services, the orchestrator first.</param>
    public static async Task<ComposedPlatform> StartAsync(
        BrokerAndDatabase servers, string[] files, IReadOnlyDictionary<string, string> variables,
        Func<string, IReadOnlyDictionary<string, string>> added, params string[] services)
    {
        var platform = new ComposedPlatform(servers, await servers.Database.NewDatabaseAsync(), files, variables);
        await platform.AddAccountsAsync(servers.Broker);
        foreach (var service in services)
            await platform.StartAsync(service, added(service));
        return platform;
    }

    public async ValueTask DisposeAsync()
    {
        _runs?.Dispose();
        foreach (var service in _services.Values)
            await service.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private async Task AddAccountsAsync(RabbitMqServer broker)
    {
        var definitions = Path.Combine(_folder.FullName, "definitions.json");
        var passwords = ServiceAccounts.All.ToDictionary(a => a.Name, a => _variables[PasswordOf(a.Name)]);
        await File.WriteAllTextAsync(definitions, BrokerDefinitions.Write(passwords));
        await broker.ControlAsync("import_definitions", definitions);
    }

    private async Task StartAsync(string name, IReadOnlyDictionary<string, string> added)
    {
        var service = _files[name];
        var environment = service.Environment.ToDictionary(v => v.Key, v => Place(ComposeFiles.Interpolate(v.Value, _variables)));
        foreach (var (setting, value) in added)
            environment[setting] = value;
        environment["HOME"] = _folder.FullName;
        environment["TMPDIR"] = _folder.CreateSubdirectory("tmp").FullName;
        var project = string.Concat(service.Dockerfile.Split('-').Select(w => char.ToUpperInvariant(w[0]) + w[1..]));
        _services[name] = await ServiceProcess.StartAsync($"services/{project}", new Dictionary<string, string>(), environment);
    }

    private string Place(string value) => _places.Aggregate(value, (text, place) => text.Replace(place.InContainer, place.Here, StringComparison.Ordinal));

    private static string PasswordOf(string service) => $"PASSWORD_{service.ToUpperInvariant().Replace('-', '_')}";
}
