using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
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
            if (UsesTls(options.Broker))
                host.UseSsl(ssl => ConfigureTls(ssl, options));
        });
        BusJson.Configure(bus);
        bus.ConfigureEndpoints(context);
    }

    private static bool UsesTls(Uri broker) => broker.Scheme is "amqps" or "rabbitmqs";

    private static Uri ToHostAddress(Uri broker)
    {
        var port = broker.Port > 0 ? broker.Port : UsesTls(broker) ? 5671 : 5672;
        return new Uri($"rabbitmq://{broker.Host}:{port}{broker.AbsolutePath}");
    }

    private static void ConfigureTls(IRabbitMqSslConfigurator ssl, MessagingOptions options)
    {
        ssl.ServerName = options.Broker.Host;
        if (options.CertificateAuthorityFile is null)
            return;
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(options.CertificateAuthorityFile);
        ssl.CertificateValidationCallback = (_, certificate, _, errors) =>
            certificate is X509Certificate2 presented
            && !errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)
            && !errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable)
            && IsSignedBy(authorities, presented);
    }

    private static bool IsSignedBy(X509Certificate2Collection authorities, X509Certificate2 presented)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return chain.Build(presented);
    }
}
