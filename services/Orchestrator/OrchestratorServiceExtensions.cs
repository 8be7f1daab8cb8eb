using Espalier.Artifacts;
using Espalier.Messaging;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Scheduling;
using MassTransit;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Espalier.Orchestrator;

/// <summary>What makes a process the orchestrator service.</summary>
public static class OrchestratorServiceExtensions
{
    /// <summary>Adds the orchestrator, its HTTP API, the artifact store and the bus, by configuration (sections orchestrator, store, messaging).</summary>
    /// <exception cref="Contracts.UserInputException">A setting is wrong.</exception>
    public static IHostApplicationBuilder AddOrchestratorService(this IHostApplicationBuilder builder)
    {
        var orchestrator = Settings.Read<OrchestratorOptions>(builder.Configuration, OrchestratorOptions.Section);
        builder.Services
            .AddArtifactStore(Settings.Read<StoreOptions>(builder.Configuration, StoreOptions.Section))
            .AddEspalierBus(Settings.Read<MessagingOptions>(builder.Configuration, MessagingOptions.Section), bus =>
            {
                bus.AddOrchestratorConsumers();
                bus.AddTriggerConsumers();
                bus.AddConsumer<KeyRequestsConsumer, KeyRequestsDefinition>();
            })
            .AddOrchestrator(orchestrator)
            .AddHostedService<LedgerResumption>()
            .AddSingleton(new DataFolders(orchestrator.DataFolders))
            .AddSingleton<IRegisteredModels, RegistryRequests>()
            .AddTriggers()
            .AddNotices()
            .AddRunsApi()
            .AddHostedService<DeadLetterQueue>()
            .AddSingleton<OrchestratorGauges>()
            .AddHostedService(provider => provider.GetRequiredService<OrchestratorGauges>());
        builder.Services.AddHealthChecks().AddCheck<LedgerHealth>("ledger", tags: ["ready"]);
        return builder;
    }
}
