using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Hosting;
using Espalier.Messaging;
using Espalier.Registry;

namespace Espalier.Cli.Hosting;

/// <summary>
/// The store and the registry that a command examines: those that the settings name (<c>ESPALIER__STORE__LOCATION</c>,
/// <c>ESPALIER__REGISTRY__DATABASE</c>), else those of the platform that runs in this home, else the home's own files.
/// </summary>
internal sealed class StoreInUse
{
    private readonly StoreOptions _store;

    private StoreInUse(StoreOptions store, RegistryOptions registry, bool isOfHome) => (_store, Registry, IsOfHome) = (store, registry, isOfHome);

    /// <summary>Where names are kept.</summary>
    public RegistryOptions Registry { get; }

    /// <summary>Whether it is the home's own files.</summary>
    public bool IsOfHome { get; }

    /// <summary>Finds them.</summary>
    /// <exception cref="UserInputException">A setting is wrong.</exception>
    public static StoreInUse Of(EspalierHome home)
    {
        var given = new ConfigurationBuilder().AddEnvironmentVariables(ServiceHost.EnvironmentPrefix).Build();
        var store = Settings.Read<StoreOptions>(given, StoreOptions.Section);
        store.CacheFolder = ""; // what is examined is the store itself
        var platform = PlatformControl.Read(home) is { Supervisor.IsAlive: true } running ? running : null;
        var isGiven = given["store:location"] is { Length: > 0 };
        if (!isGiven)
            store.Location = platform is { StoreLocation.Length: > 0 } ? platform.StoreLocation : $"file:{home.StoreFolder}";
        var database = given["registry:database"] is { Length: > 0 } named ? named
            : platform is { RegistryDatabase.Length: > 0 } ? platform.RegistryDatabase : home.Connection;
        return new StoreInUse(store, new RegistryOptions { Database = database }, !isGiven && platform is null);
    }

    /// <summary>Opens the store.</summary>
    public ArtifactStore Open() => new(ArtifactStoreServiceCollectionExtensions.Open(_store));

    /// <summary>The store for people: without keys and signatures.</summary>
    public static string Describe(ArtifactStore store) => store.Blobs is AzureBlobStore azure ? $"{azure.Location}" : ((FileBlobStore)store.Blobs).Root;
}
