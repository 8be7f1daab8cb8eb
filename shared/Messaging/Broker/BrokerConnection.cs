using RabbitMQ.Client;

namespace Espalier.Messaging.Broker;

/// <summary>A separate connection for queue maintenance, with the account and the certificate authority of the options.</summary>
internal static class BrokerConnection
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

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
            RequestedConnectionTimeout = Timeout,
            ContinuationTimeout = Timeout,
            ClientProvidedName = $"{options.UserName} queue maintenance",
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
