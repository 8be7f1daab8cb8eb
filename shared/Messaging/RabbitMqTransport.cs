using Espalier.Messaging.Broker;
using MassTransit;

namespace Espalier.Messaging;

/// <summary>Connection to the broker: account, TLS, publisher confirms.</summary>
internal static class RabbitMqTransport
{
    public static void Configure(IBusRegistrationContext context, IRabbitMqBusFactoryConfigurator bus, MessagingOptions options)
    {
        bus.Host(ToHostAddress(options.Broker), host =>
        {
            host.Username(options.UserName);
            host.Password(options.Password);
            host.PublisherConfirmation = true;
            host.Heartbeat(TimeSpan.FromSeconds(10));
            if (BrokerTrust.UsesTls(options.Broker))
                host.UseSsl(ssl => ConfigureTls(ssl, options));
        });
        // Answers come to a queue that begins with the account's name, so that no other account may read it.
        bus.OverrideDefaultBusEndpointQueueName($"{options.UserName}_bus_{Guid.NewGuid():n}");
        BusJson.Configure(bus);
        bus.ConfigureEndpoints(context);
    }

    private static Uri ToHostAddress(Uri broker) => new($"rabbitmq://{broker.Host}:{BrokerTrust.PortOf(broker)}{broker.AbsolutePath}");

    private static void ConfigureTls(IRabbitMqSslConfigurator ssl, MessagingOptions options)
    {
        ssl.ServerName = options.Broker.Host;
        if (BrokerTrust.Validation(options) is { } validation)
            ssl.CertificateValidationCallback = validation;
    }
}
