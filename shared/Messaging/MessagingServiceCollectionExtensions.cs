using MassTransit;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Messaging;

/// <summary>Registers the one bus of a process.</summary>
public static class MessagingServiceCollectionExtensions
{
    /// <summary>
    /// Adds the bus with the transport that the options choose. The host's start waits until every endpoint listens, so no
    /// early message is lost; usage telemetry is off; endpoint names are kebab-case; messages are JSON with kebab-case keys.
    /// </summary>
    /// <param name="services">Where to register.</param>
    /// <param name="options">Which bus and how to reach it.</param>
    /// <param name="configure">Adds consumers and request clients; called once.</param>
    /// <exception cref="Contracts.UserInputException">A setting is wrong.</exception>
    public static IServiceCollection AddEspalierBus(
        this IServiceCollection services, MessagingOptions options, Action<IBusRegistrationConfigurator> configure)
    {
        options.Validate();
        services.AddSingleton(options);
        services.AddSingleton<Broker.BrokerQueues>().AddSingleton<Broker.BrokerProbe>();
        services.AddOptions<MassTransitHostOptions>().Configure(host =>
        {
            host.WaitUntilStarted = true;
            host.StartTimeout = options.StartTimeout;
            host.StopTimeout = TimeSpan.FromSeconds(20);
        });
        services.AddSendObserver<MessageSizeGuard>();
        services.AddPublishObserver<MessageSizeGuard>();
        return services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.SetKebabCaseEndpointNameFormatter();
            bus.SetDefaultRequestTimeout(options.RequestTimeout);
            configure(bus);
            if (options.Transport == MessagingTransport.RabbitMq)
                bus.UsingRabbitMq((context, transport) => RabbitMqTransport.Configure(context, transport, options));
            else
                bus.UsingInMemory((context, transport) =>
                {
                    BusJson.Configure(transport);
                    transport.ConfigureEndpoints(context);
                });
        });
    }
}
