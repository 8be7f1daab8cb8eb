using Espalier.Artifacts;
using Espalier.Artifacts.Uploads;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.FaultInjection;
using Espalier.Messaging;
using Espalier.Orchestrator.Archive;
using Espalier.Orchestrator.Consumers;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Notices;
using Espalier.Orchestrator.Scheduling;
using Espalier.Orchestrator.Triggers;
using Espalier.Orchestrator.Triggers.Watching;
using MassTransit;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Espalier.Orchestrator;

/// <summary>Registers the orchestrator in any host.</summary>
public static class OrchestratorServiceCollectionExtensions
{
    /// <summary>
    /// Adds the ledger, the scheduler, the sweep and the outbox. The host must also register an <see cref="ArtifactStore"/>,
    /// and the bus with <see cref="AddOrchestratorConsumers"/>.
    /// </summary>
    /// <exception cref="UserInputException">A setting is wrong.</exception>
    public static IServiceCollection AddOrchestrator(this IServiceCollection services, OrchestratorOptions options)
    {
        options.Validate();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(options);
        services.AddSingleton(provider => LedgerDatabase.Open(options, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<Wakeups>().AddSingleton<StepLedger>().AddSingleton<RunLedger>().AddSingleton<StageCatalog>();
        services.AddSingleton<LedgerSweep>().AddSingleton<StepPreparations>().AddSingleton<PlanResolution>().AddSingleton<WorkerRooms>();
        services.AddSingleton(provider => new StepMemory(
            provider.GetRequiredService<LedgerDatabase>(), provider.GetRequiredService<StageCatalog>(),
            () => new BusEstimates(provider.GetRequiredService<IBus>(), provider.GetRequiredService<TimeProvider>()),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<IRunPlanner>(provider => new YamlRunPlanner(
            provider.GetService<IRegisteredModels>(), provider.GetService<DataFolders>(),
            new UploadStore(provider.GetRequiredService<ArtifactStore>().Blobs, provider.GetRequiredService<TimeProvider>())));
        services.AddSingleton<LiveProgress>().AddSingleton<RunTraces>().AddSingleton<RunSubmission>();
        services.AddSingleton<StepWaits>().AddSingleton<IRunReader, RunReader>().AddSingleton<RunSources>().AddSingleton<IWorkerReader, WorkerReader>();
        services.AddSingleton<RegisteredPipelines>().AddSingleton<TriggerLedger>().AddSingleton<HookSecrets>();
        services.AddSingleton(provider => new PipelineAddition(
            provider.GetRequiredService<RegisteredPipelines>(), provider.GetRequiredService<StageCatalog>(), provider.GetRequiredService<HookSecrets>(),
            provider.GetService<WatchedPlaces>(), provider.GetService<NoticeTargets>()));
        services.AddHostedService<LedgerMigration>();
        services.AddHostedService<StepScheduler>().AddHostedService<LedgerSweeper>().AddHostedService<RunArchiver>();
        // A process may host another service's dispatcher, too.
        services.AddSingleton<BusPublisher>().AddSingleton<IHostedService>(CreateDispatcher);
        return services;
    }

    /// <summary>
    /// Adds what starts registered pipelines by itself: events, schedules, webhooks and watched places. The host also registers
    /// <see cref="AddTriggerConsumers"/>.
    /// </summary>
    public static IServiceCollection AddTriggers(this IServiceCollection services)
    {
        services.TryAddSingleton(provider => new DataFolders(provider.GetRequiredService<OrchestratorOptions>().DataFolders));
        services.AddSingleton<TriggerReplays>().AddSingleton<HookReceiver>();
        services.AddSingleton<FiringPlans>().AddSingleton<FiringLedger>().AddSingleton<FiringStarter>().AddSingleton<TriggerEvaluator>();
        services.AddSingleton<BlobPlaces>().AddSingleton<WatchedPlaces>();
        services.AddSingleton<ScheduleClock>().AddSingleton<FileWatch>().AddSingleton<TriggerHistory>();
        return services.AddHostedService<TriggerEngine>().AddHostedService<TriggerCaretaker>();
    }

    /// <summary>Adds what tells people and programs of the ends of runs.</summary>
    public static IServiceCollection AddNotices(this IServiceCollection services) => services
        .AddSingleton<NoticeTargets>().AddSingleton<HttpNotice>().AddSingleton<MailNotice>().AddHostedService<NoticeSender>()
        .AddHostedService<NoticeRetention>();

    /// <summary>Adds the consumer of the registry's events.</summary>
    public static void AddTriggerConsumers(this IBusRegistrationConfigurator bus) =>
        bus.AddConsumer<RegistryEventsConsumer, RegistryEventsDefinition>();

    private static OutboxDispatcher CreateDispatcher(IServiceProvider services)
    {
        var time = services.GetRequiredService<TimeProvider>();
        var outbox = new Outbox(services.GetRequiredService<LedgerDatabase>(), LedgerMessages.Outbox, time) { Reached = ReachFaults };
        return new OutboxDispatcher(
            outbox, services.GetRequiredService<BusPublisher>(), services.GetRequiredService<Wakeups>().Outbox,
            services.GetRequiredService<OrchestratorOptions>().SweepInterval, time, services.GetRequiredService<ILogger<OutboxDispatcher>>());
    }

    private static void ReachFaults(OutboxMoment moment) => Faults.Reach(moment switch
    {
        OutboxMoment.Claimed => FaultPoints.OutboxTaken,
        OutboxMoment.Sent => FaultPoints.OutboxSent,
        _ => FaultPoints.OutboxRemoved,
    });

    /// <summary>Adds the orchestrator's consumers to the process's bus.</summary>
    public static void AddOrchestratorConsumers(this IBusRegistrationConfigurator bus)
    {
        bus.AddConsumer<StepRequestsConsumer, StepRequestsDefinition>();
        bus.AddConsumer<RunRequestsConsumer, RunRequestsDefinition>();
        bus.AddConsumer<WorkerEventsConsumer, WorkerEventsDefinition>();
    }

    /// <summary>Adds clients of the requests that start and stop runs: <see cref="SubmitRun"/>, <see cref="CancelRun"/>, <see cref="ResumeRun"/>.</summary>
    public static void AddRunRequestClients(this IBusRegistrationConfigurator bus)
    {
        var orchestrator = EndpointNames.AddressOf(EndpointNames.Orchestrator);
        bus.AddRequestClient<SubmitRun>(orchestrator);
        bus.AddRequestClient<CancelRun>(orchestrator);
        bus.AddRequestClient<ResumeRun>(orchestrator);
    }
}
