using RabbitMQ.Client;

namespace Espalier.Messaging.Broker;

/// <summary>A connection of its own for looking after queues, with the account and the trust of the options.</summary>
internal static class BrokerConnection
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static Task<IConnection> OpenAsync(MessagingOptions options, CancellationToken cancellationToken)
    {
        var factory = new ConnectionFactory
        {
            HostName = options.Broker.Host,
            Port = BrokerTrust.PortOf(options.Broker),
            VirtualHost = BrokerTrust.VirtualHostOf(options.Broker),
            UserName = options.UserName,
            Password = options.Password,
            AutomaticRecoveryEnabled = false,
            RequestedConnectionTimeout = Patience,
            ContinuationTimeout = Patience,
            ClientProvidedName = $"{options.UserName} looks after queues",
        };
        if (BrokerTrust.UsesTls(options.Broker))
        {
            factory.Ssl = new SslOption
            {
                Enabled = true,
                ServerName = options.Broker.Host,
                CertificateValidationCallback = BrokerTrust.Validation(options),
            };
        }
        return factory.CreateConnectionAsync(cancellationToken);
    }
}
