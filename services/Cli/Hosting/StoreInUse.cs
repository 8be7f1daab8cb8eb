using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Cli.Contexts;
using Espalier.Contracts;
using Espalier.Hosting;
using Espalier.Messaging;
using Espalier.Orchestrator;
using Espalier.Registry;

namespace Espalier.Cli.Hosting;

/// <summary>
/// The store, the registry and the ledger that a command examines: those that the settings name (<c>ESPALIER__STORE__LOCATION</c>,
/// <c>ESPALIER__REGISTRY__DATABASE</c>, <c>ESPALIER__ORCHESTRATOR__CONNECTION</c>), else those of the context: the platform that
/// runs in the home, or the home's own files.
/// </summary>
internal sealed class StoreInUse
{
    private readonly StoreOptions _store;

    private StoreInUse(StoreOptions store, RegistryOptions registry, OrchestratorOptions ledger, bool isOfHome) =>
        (_store, Registry, Ledger, IsOfHome) = (store, registry, ledger, isOfHome);

    /// <summary>Where names are kept.</summary>
    public RegistryOptions Registry { get; }

    /// <summary>Where runs are kept.</summary>
    public OrchestratorOptions Ledger { get; }

    /// <summary>Whether it is the home's own files.</summary>
    public bool IsOfHome { get; }

    /// <summary>Finds them.</summary>
    /// <exception cref="UserInputException">A setting is wrong, or the context's store cannot be known from here.</exception>
    public static StoreInUse Of(EspalierHome home, CommandContext context)
    {
        var given = new ConfigurationBuilder().AddEnvironmentVariables(ServiceHost.EnvironmentPrefix).Build();
        var store = Settings.Read<StoreOptions>(given, StoreOptions.Section);
        store.CacheFolder = ""; // what is examined is the store itself
        var platform = context.IsOfHome && PlatformControl.Read(home) is { Supervisor.IsAlive: true } running ? running : null;
        var isGiven = given["store:location"] is { Length: > 0 } || store.LocationFile.Length > 0;
        if (!isGiven && !context.IsLocal && platform is null)
            throw new UserInputException(
                $"This reads the store itself, and from here nothing says where {context} keeps it: set ESPALIER__STORE__LOCATION and "
                    + "ESPALIER__REGISTRY__DATABASE as its services have them.");
        if (!isGiven)
            store.Location = platform is { StoreLocation.Length: > 0 } ? platform.StoreLocation : $"file:{home.StoreFolder}";
        var database = given["registry:database"] is { Length: > 0 } named ? named
            : platform is { RegistryDatabase.Length: > 0 } ? platform.RegistryDatabase : home.Connection;
        return new StoreInUse(store, new RegistryOptions { Database = database }, LedgerOf(given, platform, home), !isGiven && platform is null);
    }

    /// <summary>As <see cref="Of"/>, for a command that compares all three, which have to belong together.</summary>
    /// <exception cref="UserInputException">Settings name some of them only, or one is wrong.</exception>
    public static StoreInUse WithLedgerOf(EspalierHome home, CommandContext context)
    {
        var given = new ConfigurationBuilder().AddEnvironmentVariables(ServiceHost.EnvironmentPrefix).Build();
        string[] settings = ["store:location", "orchestrator:connection", "registry:database"];
        var missing = settings.Where(s => string.IsNullOrEmpty(given[s])).ToList();
        return missing.Count is 0 or 3 || context.IsOfHome
            ? Of(home, context)
            : throw new UserInputException(
                $"{string.Join(" and ", settings.Except(missing))} {(missing.Count == 2 ? "is" : "are")} set and {string.Join(" and ", missing)} not: what is "
                    + "compared has to belong together. Set all three, or none.");
    }

    private static OrchestratorOptions LedgerOf(IConfiguration given, PlatformState? platform, EspalierHome home)
    {
        var ledger = Settings.Read<OrchestratorOptions>(given, OrchestratorOptions.Section);
        if (given["orchestrator:connection"] is { Length: > 0 })
            return ledger;
        (ledger.Provider, ledger.Connection) = platform is { LedgerDatabase.Length: > 0 }
            ? (LedgerProvider.PostgreSql, platform.LedgerDatabase)
            : (LedgerProvider.Sqlite, home.Connection);
        return ledger;
    }

    /// <summary>Opens the store.</summary>
    public ArtifactStore Open() => new(ArtifactStoreServiceCollectionExtensions.Open(_store));

    /// <summary>The store for people: without keys and signatures.</summary>
    public static string Describe(ArtifactStore store) => store.Blobs is AzureBlobStore azure ? $"{azure.Location}" : ((FileBlobStore)store.Blobs).Root;
}
