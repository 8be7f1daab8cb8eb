using Espalier.Messaging;
using Espalier.NoopService;
using Espalier.Orchestrator;
using Espalier.TestKit.Services.Embedded;
using Espalier.Stages;
using Espalier.Stages.Worker;
using Espalier.TestKit.Servers;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Benchmarks.Steps;

/// <summary>Where things are measured: in one process with SQLite, and over RabbitMQ with PostgreSQL.</summary>
internal sealed class Places : IAsyncDisposable
{
    public RabbitMqServer Broker { get; } = new();

    public PostgresServer Database { get; } = new();

    public static async Task<Places> StartAsync()
    {
        var places = new Places();
        await Task.WhenAll(places.Broker.InitializeAsync(), places.Database.InitializeAsync());
        return places;
    }

    /// <summary>The places by name, each started anew.</summary>
    public IEnumerable<(string Name, Func<Task<EmbeddedPlatform>> Start)> All =>
    [
        ("in memory, SQLite", () => StartAsync(null, null)),
        ("RabbitMQ, PostgreSQL", async () => await StartAsync(
            new MessagingOptions { Transport = MessagingTransport.RabbitMq, Broker = Broker.Address },
            new OrchestratorOptions { Provider = LedgerProvider.PostgreSql, Connection = await Database.NewDatabaseAsync() })),
    ];

    /// <summary>Starts a platform with the no-op stage.</summary>
    public static Task<EmbeddedPlatform> StartAsync(MessagingOptions? messaging, OrchestratorOptions? orchestrator, int slots = 1) =>
        EmbeddedPlatform.StartAsync(
        services: s => s.AddSingleton<INumericsClass, FixedNumerics>().AddSingleton<IStage, UnitsStage>(),
        worker: w => w.Slots = slots, messaging: messaging, orchestrator: orchestrator);

    public async ValueTask DisposeAsync()
    {
        await Broker.DisposeAsync();
        await Database.DisposeAsync();
    }
}
