using System.Net;
using Espalier.Contracts;

namespace Espalier.Messaging;

/// <summary>Which bus carries the messages.</summary>
public enum MessagingTransport
{
    /// <summary>Within this process; nothing to install.</summary>
    InMemory,

    /// <summary>A RabbitMQ broker: services as separate processes.</summary>
    RabbitMq,
}

/// <summary>How a process joins the bus. Section <c>messaging</c> of the configuration.</summary>
public sealed class MessagingOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "messaging";

    /// <summary>Which bus.</summary>
    /// <value>in-memory</value>
    public MessagingTransport Transport { get; set; }

    /// <summary>Address of the broker: <c>amqp://host:5672/vhost</c>, or <c>amqps://</c> for TLS.</summary>
    public Uri Broker { get; set; } = new("amqp://127.0.0.1:5672/");

    /// <summary>Account at the broker.</summary>
    /// <value>guest, which only a loopback address accepts</value>
    public string UserName { get; set; } = "guest";

    /// <summary>Password of the account.</summary>
    public string Password { get; set; } = "guest";

    /// <summary>PEM file with the certificate authority that signed the broker's certificate; null trusts the system's.</summary>
    public string? CertificateAuthorityFile { get; set; }

    /// <summary>How long a request waits for its answer.</summary>
    /// <value>5 seconds; 0.1 seconds to 5 minutes</value>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long the start waits for a broker that is away, trying again and again, before the process gives up.</summary>
    /// <value>10 minutes; 1 second to 10 minutes</value>
    public TimeSpan StartTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Deliveries of one work hint before the broker gives it up; a policy, which <c>up</c> and the definitions file set.</summary>
    /// <value>5; 1 to 100</value>
    public int DeliveryLimit { get; set; } = 5;

    /// <summary>How long a work hint waits for a worker; workers poll anyway. May be changed at any time: existing queues follow.</summary>
    /// <value>1 minute; 1 second to 1 hour</value>
    public TimeSpan HintLifetime { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Checks every setting.</summary>
    /// <exception cref="UserInputException">Names every setting that is wrong, its value and what is allowed.</exception>
    public void Validate()
    {
        var problems = Problems().Select(p => new Problem($"{Section}:{p.Setting}", 0, 0, p.Message)).ToList();
        if (problems.Count > 0)
            throw new UserInputException(problems);
    }

    private IEnumerable<(string Setting, string Message)> Problems()
    {
        if (Range(RequestTimeout, TimeSpan.FromSeconds(0.1), TimeSpan.FromMinutes(5)) is { } request)
            yield return ("request-timeout", request);
        if (Range(StartTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10)) is { } start)
            yield return ("start-timeout", start);
        if (Range(HintLifetime, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)) is { } hint)
            yield return ("hint-lifetime", hint);
        if (Range(DeliveryLimit, 1, 100) is { } limit)
            yield return ("delivery-limit", limit);
        if (Transport != MessagingTransport.RabbitMq)
            yield break;

        if (!Broker.IsAbsoluteUri || Broker.Scheme is not ("amqp" or "amqps" or "rabbitmq" or "rabbitmqs"))
            yield return ("broker", $"'{Broker}' is not a broker address: expected amqp://host:port/vhost, or amqps:// for TLS.");
        else if (Broker.UserInfo.Length > 0)
            yield return ("broker", "The address carries an account: put it into user-name and password, which are kept out of logs.");
        else if (UserName == "guest" && !IsLoopback(Broker.Host))
            yield return (
                "user-name",
                $"The default account 'guest' is refused for '{Broker.Host}', which is not this machine: make an account of its own for this service.");
        if (CertificateAuthorityFile is not null && !File.Exists(CertificateAuthorityFile))
            yield return ("certificate-authority-file", $"'{CertificateAuthorityFile}' does not exist: expected a PEM file.");
    }

    private static string? Range<T>(T value, T min, T max) where T : IComparable<T> =>
        value.CompareTo(min) < 0 || value.CompareTo(max) > 0 ? $"{value} is out of range: allowed is {min} to {max}." : null;

    private static bool IsLoopback(string host) =>
        host is "localhost" || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}
