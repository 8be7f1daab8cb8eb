using Espalier.Platform.Processes;
using Npgsql;

namespace Espalier.Platform.Servers;

/// <summary>PostgreSQL from Debian's package: a cluster and a port of its own, on loopback only; passwords for every role.</summary>
internal sealed class PostgresServer(string folder, PlatformSettings settings) : IPlatformServer
{
    private const string Programs = "/usr/lib/postgresql";
    private const string Owner = "espalier";
    private readonly int _port = settings.Port("postgresql");
    private string? _reachable;

    public string Name => "postgresql";

    public IReadOnlyList<string> MissingPackages => FindPrograms() is null ? ["postgresql-15"] : [];

    /// <summary>How a service reaches its database; role and database have the service's name.</summary>
    public string ConnectionOf(string service) => Connect(service, service);

    public async Task PrepareAsync(Action<string> say, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        if (IsRoot)
            _reachable = await FindReachableFolderAsync(cancellationToken).ConfigureAwait(false);
        if (File.Exists(Path.Combine(Data, "PG_VERSION")))
            return;
        say("making the database cluster");
        var password = Path.Combine(Cluster, "password");
        PrivateFile.WriteText(password, settings.Secret("database-owner"));
        if (IsRoot)
            await ToolRun.RunAsync(["chown", "postgres", Cluster, password], null, null, cancellationToken).ConfigureAwait(false);
        await ToolRun.RunAsync(
            [
                .. AsServer, Path.Combine(FindPrograms()!, "initdb"), "-D", Data, "-U", Owner, "--auth=scram-sha-256", $"--pwfile={password}",
                "--locale=C", "--encoding=UTF8",
            ],
            Cluster, null, cancellationToken).ConfigureAwait(false);
        File.Delete(password);
    }

    // A failing statement would be logged, and the one that creates a role contains its password.
    public IReadOnlyList<ProcessPlan> Processes =>
    [
        new()
        {
            Name = Name,
            Kind = ProcessKinds.Server,
            Command =
            [
                .. AsServer, Path.Combine(FindPrograms() ?? "", "postgres"), "-D", Data, "-p", $"{_port}", "-h", "127.0.0.1",
                "-c", "unix_socket_directories=", "-c", "log_min_error_statement=panic",
            ],
            Folder = Cluster,
            Probe = $"tcp://127.0.0.1:{_port}",
            OnReady = MakeDatabasesAsync,
            StopSignal = PlatformSignal.Interrupt,
        },
    ];

    private string Cluster => _reachable ?? folder;

    private string Data => Path.Combine(Cluster, "data");

    private static bool IsRoot => Environment.UserName == "root";

    /// <summary>The server refuses to run as root.</summary>
    private static string[] AsServer => IsRoot ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];

    private async Task MakeDatabasesAsync(CancellationToken cancellationToken)
    {
        var source = NpgsqlDataSource.Create(Connect(Owner, "postgres"));
        await using (source.ConfigureAwait(false))
        {
            foreach (var service in new[] { "orchestrator", "registry" })
            {
                // Names are ours and passwords hexadecimal, so neither needs quoting.
                await TryAsync(
                    source, $"create role {service} login password '{settings.Secret($"database-{service}")}'", PostgresErrorCodes.DuplicateObject,
                    cancellationToken).ConfigureAwait(false);
                await TryAsync(
                    source, $"create database {service} owner {service}", PostgresErrorCodes.DuplicateDatabase,
                    cancellationToken).ConfigureAwait(false);
                await TryAsync(source, $"revoke connect on database {service} from public", "", cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static async Task TryAsync(NpgsqlDataSource source, string statement, string unless, CancellationToken cancellationToken)
    {
        var command = source.CreateCommand(statement);
        await using (command.ConfigureAwait(false))
        {
            try
            {
                await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (PostgresException e) when (e.SqlState == unless)
            {
            }
        }
    }

    private string Connect(string role, string database) =>
        $"Host=127.0.0.1;Port={_port};Database={database};Username={role};Maximum Pool Size=20;"
        + $"Password={settings.Secret(role == Owner ? "database-owner" : $"database-{role}")}";

    /// <summary>The folder in the home, or one below /var/lib/postgresql when the server's user cannot reach the home.</summary>
    private async Task<string> FindReachableFolderAsync(CancellationToken cancellationToken)
    {
        await ToolRun.RunAsync(["chown", "postgres", folder], null, null, cancellationToken).ConfigureAwait(false);
        var (code, _) = await ToolRun.TryAsync([.. AsServer, "test", "-w", folder], "/", null, cancellationToken).ConfigureAwait(false);
        if (code == 0)
            return folder;
        var digest = Contracts.Digest.Of(System.Text.Encoding.UTF8.GetBytes(folder)).Hex[..16];
        var other = $"/var/lib/postgresql/espalier-{digest}";
        Directory.CreateDirectory(other);
        await ToolRun.RunAsync(["chown", "postgres", other], null, null, cancellationToken).ConfigureAwait(false);
        return other;
    }

    private static string? FindPrograms() => !Directory.Exists(Programs)
        ? null
        : Directory.EnumerateDirectories(Programs)
            .Select(d => Path.Combine(d, "bin"))
            .Where(d => File.Exists(Path.Combine(d, "postgres")))
            .Order(StringComparer.Ordinal)
            .LastOrDefault();
}
