using Espalier.Artifacts;
using Espalier.Registry;
using Espalier.Registry.Gates;
using Espalier.Registry.Signing;
using Espalier.Registry.Storage;

namespace Espalier.Cli.Hosting;

/// <summary>The registry of a home, opened for one command.</summary>
internal sealed class OpenRegistry(ServiceProvider services) : IAsyncDisposable
{
    public ModelRegistry Models => services.GetRequiredService<ModelRegistry>();

    public VersionRegistrar Registrar => services.GetRequiredService<VersionRegistrar>();

    public Signatures Signatures => services.GetRequiredService<Signatures>();

    public VersionVerifier Verifier => services.GetRequiredService<VersionVerifier>();

    public GarbageCollector Collector => services.GetRequiredService<GarbageCollector>();

    public PromotionGates Gates => services.GetRequiredService<PromotionGates>();

    /// <summary>Opens it and brings its schema up to date.</summary>
    public static Task<OpenRegistry> OpenAsync(EspalierHome home, CancellationToken cancellationToken)
    {
        home.Create();
        return OpenAsync(new RegistryOptions { Database = home.Connection }, home.OpenStore, cancellationToken);
    }

    /// <summary>Opens one that may lie elsewhere.</summary>
    public static async Task<OpenRegistry> OpenAsync(RegistryOptions options, Func<ArtifactStore> store, CancellationToken cancellationToken)
    {
        var services = new ServiceCollection().AddLogging().AddSingleton(_ => store()).AddRegistry(options).BuildServiceProvider();
        await services.GetRequiredService<RegistryDatabase>().MigrateAsync(cancellationToken).ConfigureAwait(false);
        return new OpenRegistry(services);
    }

    public ValueTask DisposeAsync() => services.DisposeAsync();
}
