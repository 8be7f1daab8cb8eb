using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Registry;
using Espalier.Registry.Comparisons;
using Espalier.Registry.Datasets;
using Espalier.Registry.Gates;
using Espalier.Registry.Queries;
using Espalier.Registry.Signing;
using Espalier.Registry.Storage;

namespace Espalier.Cli.Hosting;

/// <summary>The registry of a home, opened for one command.</summary>
internal sealed class OpenRegistry(ServiceProvider services) : IAsyncDisposable
{
    public ModelRegistry Models => services.GetRequiredService<ModelRegistry>();

    public VersionRegistrar Registrar => services.GetRequiredService<VersionRegistrar>();

    public DatasetNames Datasets => services.GetRequiredService<DatasetNames>();

    public Signatures Signatures => services.GetRequiredService<Signatures>();

    public VersionVerifier Verifier => services.GetRequiredService<VersionVerifier>();

    public GarbageCollector Collector => services.GetRequiredService<GarbageCollector>();

    public ModelQueries Queries => services.GetRequiredService<ModelQueries>();

    public VersionComparer Comparer => services.GetRequiredService<VersionComparer>();

    public PromotionGates Gates => services.GetRequiredService<PromotionGates>();

    /// <summary>Opens it and brings its schema up to date.</summary>
    public static Task<OpenRegistry> OpenAsync(EspalierHome home, CancellationToken cancellationToken)
    {
        home.Create();
        return OpenAsync(new RegistryOptions { Database = home.Connection }, home.OpenStore, cancellationToken);
    }

    /// <summary>Opens one that may lie elsewhere.</summary>
    /// <param name="options">Where it is.</param>
    /// <param name="store">Opens the store.</param>
    /// <param name="cancellationToken">Stops waiting for it.</param>
    /// <param name="mayMigrate">Whether its schema is brought up to date; else it must be.</param>
    /// <exception cref="UserInputException">Its schema is old, and may not be changed.</exception>
    public static async Task<OpenRegistry> OpenAsync(
        RegistryOptions options, Func<ArtifactStore> store, CancellationToken cancellationToken, bool mayMigrate = true)
    {
        var services = new ServiceCollection().AddLogging().AddSingleton(_ => store()).AddRegistry(options).BuildServiceProvider();
        var database = services.GetRequiredService<RegistryDatabase>();
        if (mayMigrate)
            await database.MigrateAsync(cancellationToken).ConfigureAwait(false);
        else if (!await database.IsCurrentAsync(cancellationToken).ConfigureAwait(false))
            throw new UserInputException("The registry has the schema of an older version: start its service first, which brings it up to date.");
        return new OpenRegistry(services);
    }

    public ValueTask DisposeAsync() => services.DisposeAsync();
}
