using Espalier.Messaging;
using Espalier.Messaging.Broker;

namespace Espalier.Platform.Servers;

/// <summary>RabbitMQ from Debian's package: a node, ports, folders and accounts of its own; on loopback only.</summary>
internal sealed class RabbitMqServer(string folder, PlatformSettings settings, MessagingOptions messaging) : IPlatformServer
{
    private const string Programs = "/usr/lib/rabbitmq/lib";
    private readonly int _port = settings.Port("rabbitmq"), _namesPort = settings.Port("epmd"), _peersPort = settings.Port("rabbitmq-peers");

    public string Name => "rabbitmq";

    /// <summary>How services reach it.</summary>
    public Uri Address => new($"amqp://127.0.0.1:{_port}/{BrokerDefinitions.VirtualHost}");

    public IReadOnlyList<string> MissingPackages => FindServer() is null ? ["rabbitmq-server"] : [];

    public Task PrepareAsync(Action<string> say, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        var passwords = ServiceAccounts.All.ToDictionary(a => a.Name, a => settings.Secret($"broker-{a.Name}"));
        PrivateFile.WriteText(PathOf("definitions.json"), BrokerDefinitions.Write(passwords, messaging));
        PrivateFile.WriteText(PathOf("enabled_plugins"), "[].");
        PrivateFile.WriteText(PathOf("rabbitmq.conf"),
            $"""
            listeners.tcp.1 = 127.0.0.1:{_port}
            load_definitions = {PathOf("definitions.json")}
            log.console = true
            log.console.level = warning
            log.file = false
            disk_free_limit.absolute = 64MB

            """);
        return Task.CompletedTask;
    }

    public IReadOnlyList<ProcessPlan> Processes =>
    [
        // Otherwise the broker starts Erlang's name server as a daemon that nothing stops.
        new()
        {
            Name = "epmd",
            Kind = ProcessKinds.Server,
            Command = ["epmd", "-port", $"{_namesPort}", "-address", "127.0.0.1"],
            Environment = Environment(),
            Probe = $"tcp://127.0.0.1:{_namesPort}",
        },
        new()
        {
            Name = Name,
            Kind = ProcessKinds.Server,
            Command = [FindServer() ?? "rabbitmq-server"],
            Environment = Environment(),
            Probe = $"tcp://127.0.0.1:{_port}",
        },
    ];

    private Dictionary<string, string> Environment() => new()
    {
        ["HOME"] = folder,
        ["RABBITMQ_NODENAME"] = "espalier@localhost",
        ["RABBITMQ_DIST_PORT"] = $"{_peersPort}",
        ["ERL_EPMD_PORT"] = $"{_namesPort}",
        ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
        ["RABBITMQ_CONFIG_FILE"] = PathOf("rabbitmq.conf"),
        ["RABBITMQ_ENABLED_PLUGINS_FILE"] = PathOf("enabled_plugins"),
        ["RABBITMQ_MNESIA_BASE"] = PathOf("mnesia"),
        ["RABBITMQ_LOG_BASE"] = PathOf("log"),
        ["RABBITMQ_PID_FILE"] = PathOf("pid"),
        // Idle scheduler threads must not spin: they would take processor time from the steps.
        ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
        // The script then replaces itself by the broker, so that its process id is the broker's.
        ["RUNNING_UNDER_SYSTEMD"] = "true",
    };

    private string PathOf(string file) => Path.Combine(folder, file);

    /// <summary>Not the program on the PATH, which switches to another user.</summary>
    private static string? FindServer() => !Directory.Exists(Programs)
        ? null
        : Directory.EnumerateDirectories(Programs, "rabbitmq_server-*")
            .Select(d => Path.Combine(d, "sbin", "rabbitmq-server"))
            .Order(StringComparer.Ordinal)
            .LastOrDefault(File.Exists);
}
