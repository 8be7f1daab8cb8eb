using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Espalier.Messaging.Broker;

/// <summary>Host, port and virtual host of the broker's address, and which certificates are trusted.</summary>
internal static class BrokerTrust
{
    public static bool UsesTls(Uri broker) => broker.Scheme is "amqps" or "rabbitmqs";

    public static int PortOf(Uri broker) => broker.Port > 0 ? broker.Port : UsesTls(broker) ? 5671 : 5672;

    /// <summary>The path of the address without its slash; none means the default host.</summary>
    public static string VirtualHostOf(Uri broker) => Uri.UnescapeDataString(broker.AbsolutePath.TrimStart('/')) is { Length: > 0 } name ? name : "/";

    /// <summary>Trusts the authority that the options name and no other; null leaves the choice to the system.</summary>
    public static RemoteCertificateValidationCallback? Validation(MessagingOptions options)
    {
        if (options.CertificateAuthorityFile is null)
            return null;
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(options.CertificateAuthorityFile);
        return (_, certificate, _, errors) =>
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
