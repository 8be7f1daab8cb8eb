using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Espalier.Messaging.Broker;
using Espalier.TestKit.Servers;

namespace Espalier.Messaging.Tests.Broker;

/// <summary>A real RabbitMQ that was set up by our definitions, with a password for every account, and with TLS on a second port.</summary>
public class PlatformBroker : RabbitMqServer
{
    private readonly int _tlsPort = ServerProcess.FreePort();
    private string _folder = "";

    /// <summary>The authority that signed the broker's certificate.</summary>
    public string Authority => Path.Combine(_folder, "ca.pem");

    /// <summary>An authority that signed nothing.</summary>
    public string OtherAuthority => Path.Combine(_folder, "other-ca.pem");

    /// <summary>How a service reaches it.</summary>
    public MessagingOptions OptionsOf(string service) => new()
    {
        Transport = MessagingTransport.RabbitMq,
        Broker = new Uri(Address, BrokerDefinitions.VirtualHost),
        UserName = service,
        Password = PasswordOf(service),
        StartTimeout = TimeSpan.FromSeconds(20),
    };

    /// <summary>The same over TLS.</summary>
    public MessagingOptions TlsOptionsOf(string service, string authority) => new()
    {
        Transport = MessagingTransport.RabbitMq,
        Broker = new Uri($"amqps://localhost:{_tlsPort}/{BrokerDefinitions.VirtualHost}"),
        UserName = service,
        Password = PasswordOf(service),
        CertificateAuthorityFile = authority,
        StartTimeout = TimeSpan.FromSeconds(10),
    };

    protected override async Task<string> SettingsAsync(string folder)
    {
        _folder = folder;
        var passwords = ServiceAccounts.All.ToDictionary(a => a.Name, a => PasswordOf(a.Name));
        await File.WriteAllTextAsync(Path.Combine(folder, "definitions.json"), BrokerDefinitions.Write(passwords));
        WriteCertificates();
        return $"""
            load_definitions = {folder}/definitions.json
            listeners.ssl.1 = 127.0.0.1:{_tlsPort}
            ssl_options.cacertfile = {Authority}
            ssl_options.certfile = {folder}/server.pem
            ssl_options.keyfile = {folder}/server-key.pem
            ssl_options.versions.1 = tlsv1.2
            ssl_options.versions.2 = tlsv1.3

            """;
    }

    private static string PasswordOf(string service) => $"password-of-{service}";

    private void WriteCertificates()
    {
        var (from, until) = (TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(1));
        using var authority = CreateAuthority("Espalier test authority", from, until);
        using var other = CreateAuthority("Somebody else", from, until);
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var server = request.Create(authority, from, until, [1, 2, 3, 4]);
        File.WriteAllText(Authority, authority.ExportCertificatePem());
        File.WriteAllText(OtherAuthority, other.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_folder, "server.pem"), server.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_folder, "server-key.pem"), key.ExportPkcs8PrivateKeyPem());
    }

    private static X509Certificate2 CreateAuthority(string name, DateTimeOffset from, DateTimeOffset until)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        return request.CreateSelfSigned(from, until);
    }
}

[CollectionDefinition(Name)]
public sealed class BrokerCollection : ICollectionFixture<PlatformBroker>
{
    public const string Name = "broker";
}
