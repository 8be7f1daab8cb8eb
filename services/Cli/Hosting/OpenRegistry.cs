using Espalier.Registry;

namespace Espalier.Cli.Hosting;

/// <summary>The registry of a home, opened for one command.</summary>
internal sealed class OpenRegistry(ServiceProvider services) : IAsyncDisposable
{
    public ModelRegistry Models => services.GetRequiredService<ModelRegistry>();

    /// <summary>Opens it and brings its schema up to date.</summary>
    public static async Task<OpenRegistry> OpenAsync(EspalierHome home, CancellationToken cancellationToken)
    {
        home.Create();
        var services = new ServiceCollection().AddLogging().AddRegistry(new RegistryOptions { Database = home.Connection }).BuildServiceProvider();
        await services.GetRequiredService<RegistryDatabase>().MigrateAsync(cancellationToken).ConfigureAwait(false);
        return new OpenRegistry(services);
    }

    public ValueTask DisposeAsync() => services.DisposeAsync();
}
