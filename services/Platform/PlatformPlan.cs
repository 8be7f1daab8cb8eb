using Espalier.Platform.Servers;
using Espalier.Hosting;
using Espalier.Messaging;
using Espalier.Messaging.Broker;
using Microsoft.Extensions.Configuration;

namespace Espalier.Platform;

/// <summary>
/// Everything that has to run: servers that are not configured to run elsewhere, the orchestrator, the registry and the
/// workers, with the settings by which they find each other. Settings from the environment win and reach every service.
/// </summary>
internal sealed class PlatformPlan
{
    private const string KeyPrefix = "esp_";
    private readonly EspalierHome _home;
    private readonly PlatformHome _folders;
    private readonly PlatformSettings _settings;
    private readonly IConfiguration _given;
    private readonly RabbitMqServer? _broker;
    private readonly PostgresServer? _database;
    private readonly AzuriteServer? _blobs;
    private readonly WantedPlatform _wanted;

    private PlatformPlan(EspalierHome home, PlatformHome folders, PlatformSettings settings, WantedPlatform wanted, IConfiguration given)
    {
        (_home, _folders, _settings, _wanted, _given) = (home, folders, settings, wanted, given);
        _broker = IsGiven("messaging:broker")
            ? null
            : new RabbitMqServer(folders.FolderOf("rabbitmq"), settings, Settings.Read<MessagingOptions>(given, MessagingOptions.Section));
        _database = IsGiven("orchestrator:connection") && IsGiven("registry:database") ? null : new PostgresServer(folders.FolderOf("postgresql"), settings);
        _blobs = IsGiven("store:location") || wanted.Store == WantedPlatform.FileStore ? null : new AzuriteServer(folders.FolderOf("azurite"), settings);
        Key = given["orchestrator-api:key"] ?? given["orchestrator_api:key"] ?? KeyPrefix + settings.Secret("administrator");
        Orchestrator = $"http://127.0.0.1:{settings.Port("orchestrator")}";
        Registry = $"http://127.0.0.1:{settings.Port("registry")}";
        Services = [.. ServiceAccounts.All.SelectMany(PlansOf)];
    }

    /// <summary>Address of the orchestrator.</summary>
    public string Orchestrator { get; }

    /// <summary>Address of the registry.</summary>
    public string Registry { get; }

    /// <summary>Where blobs are kept.</summary>
    public string StoreLocation => IsGiven("store:location") ? _given["store:location"]! : _blobs?.ConnectionString ?? $"file:{_home.StoreFolder}";

    /// <summary>Where the registry keeps names.</summary>
    public string RegistryDatabase => IsGiven("registry:database") ? _given["registry:database"]! : _database!.ConnectionOf("registry");

    /// <summary>Connection of the ledger's own database; empty when settings name another one.</summary>
    public string LedgerDatabase => IsGiven("orchestrator:connection") ? "" : _database!.ConnectionOf(ServiceAccounts.Orchestrator);

    /// <summary>The administrator's key.</summary>
    public string Key { get; }

    /// <summary>Servers to run here.</summary>
    public IReadOnlyList<IPlatformServer> Servers => [.. new IPlatformServer?[] { _broker, _database, _blobs }.OfType<IPlatformServer>()];

    /// <summary>Our own processes.</summary>
    public IReadOnlyList<ProcessPlan> Services { get; }

    /// <summary>The plan for a home.</summary>
    public static PlatformPlan Create(EspalierHome home, PlatformSettings settings, WantedPlatform wanted) =>
        new(home, new PlatformHome(home), settings, wanted, new ConfigurationBuilder().AddEnvironmentVariables(ServiceHost.EnvironmentPrefix).Build());

    private bool IsGiven(string setting) => !string.IsNullOrEmpty(_given[setting]);

    private IEnumerable<ProcessPlan> PlansOf(ServiceAccount account)
    {
        var isWorker = account.Name is not (ServiceAccounts.Orchestrator or "registry");
        for (var number = 1; number <= _wanted.CountOf(account.Name); number++)
        {
            var name = isWorker || number > 1 ? $"{account.Name}-{number}" : account.Name;
            var address = $"http://127.0.0.1:{_settings.Port(name)}";
            yield return new ProcessPlan
            {
                Name = name,
                Kind = isWorker ? ProcessKinds.Worker : ProcessKinds.Service,
                Command = [DotNet, AssemblyOf(account.Name)],
                Environment = SettingsOf(account.Name, address),
                Probe = $"{address}/readyz",
            };
        }
    }

    /// <summary>Settings go by environment variables: every user of the machine can read arguments.</summary>
    private Dictionary<string, string> SettingsOf(string service, string address)
    {
        var settings = new Dictionary<string, string> { ["HTTP__URL"] = address, ["MESSAGING__TRANSPORT"] = "rabbit-mq" };
        if (_broker is not null)
        {
            settings["MESSAGING__BROKER"] = _broker.Address.ToString();
            settings["MESSAGING__USER_NAME"] = service;
            settings["MESSAGING__PASSWORD"] = _settings.Secret($"broker-{service}");
        }
        if (!IsGiven("store:location"))
            settings["STORE__LOCATION"] = StoreLocation;
        if (_blobs is not null)
            settings["STORE__CACHE_FOLDER"] = _folders.FolderOf("blob-cache");
        if (service == ServiceAccounts.Orchestrator)
        {
            settings["ORCHESTRATOR_API__KEY"] = Key;
            if (!IsGiven("orchestrator:portal"))
                settings["ORCHESTRATOR__PORTAL"] = Registry;
            if (!_given.GetSection("orchestrator:data-folders").Exists() && !_given.GetSection("orchestrator:data_folders").Exists())
            {
                // One user's platform on the user's own machine: what the user keeps and works on, and nothing hidden.
                foreach (var (folder, number) in _wanted.DataFolders.Select((f, i) => (f, i)))
                    settings[$"ORCHESTRATOR__DATA_FOLDERS__{number}"] = folder;
            }
            if (!IsGiven("orchestrator:connection"))
                (settings["ORCHESTRATOR__PROVIDER"], settings["ORCHESTRATOR__CONNECTION"]) = ("postgre-sql", LedgerDatabase);
        }
        else if (!IsGiven("worker:cache-folder"))
        {
            settings["WORKER__CACHE_FOLDER"] = _home.CacheFolder;
        }
        if (service == "registry" && !IsGiven("portal:orchestrator"))
            settings["PORTAL__ORCHESTRATOR"] = Orchestrator;
        if (service == "registry" && !IsGiven("registry:database"))
            settings["REGISTRY__DATABASE"] = RegistryDatabase;
        return settings.ToDictionary(s => ServiceHost.EnvironmentPrefix + s.Key, s => s.Value);
    }

    private static string DotNet => Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? Environment.ProcessPath! : "dotnet";

    /// <summary>The services lie beside the program that starts them: the command line's output holds them all.</summary>
    private static string AssemblyOf(string service) =>
        Path.Combine(AppContext.BaseDirectory, $"Espalier.{string.Concat(service.Split('-').Select(w => char.ToUpperInvariant(w[0]) + w[1..]))}.dll");
}
