using System.Globalization;

namespace Espalier.TestKit.Servers;

/// <summary>A real RabbitMQ with its own node, ports and folders.</summary>
public class RabbitMqServer : IAsyncLifetime
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(180);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rabbitmq-");
    private readonly int _namesPort = ServerProcess.FreePort();
    private ServerProcess? _names;
    private ServerProcess? _broker;
    private int _port;
    private Dictionary<string, string> _environment = [];

    /// <summary>Address of the broker; account guest.</summary>
    public Uri Address => new($"amqp://127.0.0.1:{_port}/");

    /// <summary>Starts the broker.</summary>
    public async Task InitializeAsync()
    {
        _port = ServerProcess.FreePort();
        var conf = Path.Combine(_folder.FullName, "rabbitmq.conf");
        await File.WriteAllTextAsync(conf, $"listeners.tcp.1 = 127.0.0.1:{_port}\n{await SettingsAsync(_folder.FullName)}");
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "enabled_plugins"), "[].");
        var environment = new Dictionary<string, string>
        {
            ["HOME"] = _folder.FullName,
            ["RABBITMQ_NODENAME"] = $"test{_port}@localhost",
            ["RABBITMQ_DIST_PORT"] = $"{ServerProcess.FreePort()}",
            ["ERL_EPMD_PORT"] = $"{_namesPort}",
            ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_CONFIG_FILE"] = conf,
            ["RABBITMQ_ENABLED_PLUGINS_FILE"] = Path.Combine(_folder.FullName, "enabled_plugins"),
            ["RABBITMQ_MNESIA_BASE"] = Path.Combine(_folder.FullName, "mnesia"),
            ["RABBITMQ_LOG_BASE"] = Path.Combine(_folder.FullName, "log"),
            ["RABBITMQ_PID_FILE"] = Path.Combine(_folder.FullName, "pid"),
            ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] = "-kernel inet_dist_use_interface {127,0,0,1}",
        };
        // Otherwise the broker starts Erlang's name server as a daemon that outlives the test.
        _names = ServerProcess.Start("KILL", environment, "epmd", "-port", $"{_namesPort}", "-address", "127.0.0.1");
        await _names.WaitForPortAsync(_namesPort, StartLimit);
        _environment = environment;
        await StartAsync();
    }

    /// <summary>How many consumers each durable queue has, as the broker itself counts them.</summary>
    public async Task<IReadOnlyDictionary<string, int>> ConsumersAsync() =>
        (await ControlAsync("-q", "--no-table-headers", "list_queues", "name", "durable", "consumers")).Split('\n')
            .Select(line => line.Split('\t'))
            .Where(columns => columns is [_, "true", _])
            .ToDictionary(columns => columns[0], columns => int.Parse(columns[2], CultureInfo.InvariantCulture));

    /// <summary>Runs the operator's program, <c>rabbitmqctl</c>; what it writes.</summary>
    public async Task<string> ControlAsync(params string[] arguments)
    {
        var program = ServerProcess.Start("KILL", _environment, [FindProgram("rabbitmqctl"), .. arguments]);
        await using (program)
        {
            return await program.WaitForExitAsync(StartLimit) is not 0 and var code
                ? throw new InvalidOperationException($"'rabbitmqctl {string.Join(' ', arguments)}' ended with {code}: {program.Output}")
                : program.Output;
        }
    }

    /// <summary>Kills the server, as a crash does.</summary>
    public async Task CrashAsync() => await _broker!.DisposeAsync();

    /// <summary>Starts the server, also again after a crash.</summary>
    public async Task StartAsync()
    {
        _broker = ServerProcess.Start("KILL", _environment, FindProgram("rabbitmq-server"));
        await _broker.WaitForPortAsync(_port, StartLimit);
    }

    /// <summary>Stops the server and deletes its folder.</summary>
    public async Task DisposeAsync()
    {
        if (_broker is not null)
            await _broker.DisposeAsync();
        if (_names is not null)
            await _names.DisposeAsync();
        try
        {
            _folder.Delete(recursive: true);
        }
        catch (IOException)
        {
            // The killed broker wrote one more file; the system cleans its temporary folder.
        }
    }

    /// <summary>Further lines of the broker's configuration; files that they name belong in the folder.</summary>
    protected virtual Task<string> SettingsAsync(string folder) => Task.FromResult("");

    /// <summary>Not the program on the PATH, which switches to another user.</summary>
    private static string FindProgram(string name) =>
        Directory.EnumerateDirectories("/usr/lib/rabbitmq/lib", "rabbitmq_server-*")
            .Select(d => Path.Combine(d, "sbin", name)).FirstOrDefault(File.Exists)
            ?? throw new InvalidOperationException("RabbitMQ is not installed: apt-get install rabbitmq-server.");
}
