using Espalier.Artifacts;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Cli.Hosting;

/// <summary>The runs of this machine's home, without a host that would go on with them.</summary>
internal static class HomeRuns
{
    /// <summary>Reads something of them; null where nothing ran yet.</summary>
    public static async Task<T?> ReadAsync<T>(Func<IRunReader, Task<T?>> read)
        where T : class
    {
        var home = EspalierHome.OfThisProcess();
        if (!home.Exists)
            return null;
        var services = new ServiceCollection()
            .AddLogging()
            .AddSingleton<ArtifactStore>(_ => home.OpenStore())
            .AddOrchestrator(new OrchestratorOptions { Connection = home.Connection })
            .BuildServiceProvider();
        await using (services.ConfigureAwait(false))
            return await read(services.GetRequiredService<IRunReader>()).ConfigureAwait(false);
    }
}
