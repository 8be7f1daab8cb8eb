using Espalier.Database;
using Espalier.Messaging;
using Espalier.Registry.Comparisons;
using Espalier.Registry.Datasets;
using Espalier.Registry.Events;
using Espalier.Registry.Gates;
using Espalier.Registry.Queries;
using Espalier.Registry.Search;
using Espalier.Registry.Signing;
using Espalier.Registry.Storage;
using Espalier.Stages;
using MassTransit;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Espalier.Registry;

/// <summary>Registration of the registry.</summary>
public static class RegistryServiceCollectionExtensions
{
    /// <summary>Adds the model registry and its stage. The schema is brought up to date when the host starts.</summary>
    public static IServiceCollection AddRegistry(this IServiceCollection services, RegistryOptions? options = null)
    {
        services.TryAddSingleton(TimeProvider.System);
        if (options is not null)
            services.AddSingleton(options);
        else
            services.AddSingleton(p => Settings.Read<RegistryOptions>(p.GetRequiredService<IConfiguration>(), RegistryOptions.Section));
        services.AddSingleton<RegistryDatabase>();
        services.AddSingleton<ModelRegistry>();
        services.AddSingleton<ModelQueries>();
        services.AddSingleton<VersionRegistrar>();
        services.AddSingleton<DatasetNames>();
        services.AddSingleton<VersionSearch>();
        services.AddSingleton<PromotionGates>();
        services.AddSingleton<Signatures>();
        services.AddSingleton<VersionVerifier>();
        services.AddSingleton<VersionComparer>();
        services.AddSingleton<StorageSnapshot>();
        services.AddSingleton<GarbageCollector>();
        services.AddSingleton<EventFeed>();
        services.AddSingleton<Webhooks>();
        services.AddSingleton<IStage, RegisterStage>();
        services.AddHostedService<RegistryMigration>();
        return services;
    }

    /// <summary>Adds what answers other services.</summary>
    public static void AddModelConsumers(this IBusRegistrationConfigurator bus) => bus.AddConsumer<ModelRequestsConsumer, ModelRequestsDefinition>();

    /// <summary>Adds what tells others about events: the bus, which must be registered, and webhooks.</summary>
    public static IServiceCollection AddRegistryEvents(this IServiceCollection services)
    {
        services.AddSingleton<EventPublisher>().AddSingleton<IHostedService>(CreateDispatcher); // a process may host another service's dispatcher, too
        return services.AddSingleton<WebhookSender>().AddHostedService(p => p.GetRequiredService<WebhookSender>());
    }

    private static OutboxDispatcher CreateDispatcher(IServiceProvider services)
    {
        var time = services.GetRequiredService<TimeProvider>();
        return new OutboxDispatcher(
            new Outbox(services.GetRequiredService<RegistryDatabase>(), RegistryEvents.Outbox, time), services.GetRequiredService<EventPublisher>(),
            new Wakeup(), TimeSpan.FromMilliseconds(200), time, services.GetRequiredService<ILogger<OutboxDispatcher>>());
    }
}
