using Npgsql;

namespace Espalier.TestKit.Servers;

/// <summary>A real PostgreSQL with its own port and folder.</summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(180);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("postgres-");
    private readonly int _port = ServerProcess.FreePort();
    private ServerProcess? _server;
    private string[] _command = [];
    private string _bin = "";

    /// <summary>Starts the server.</summary>
    public async Task InitializeAsync()
    {
        _bin = Directory.EnumerateDirectories("/usr/lib/postgresql").Select(d => Path.Combine(d, "bin")).LastOrDefault(Directory.Exists)
            ?? throw new InvalidOperationException("PostgreSQL is not installed: apt-get install postgresql-15.");
        var data = Path.Combine(_folder.FullName, "data");
        // The server refuses to run as root.
        string[] asUser = Environment.UserName == "root" ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];
        if (asUser.Length > 0)
            await ServerProcess.RunAsync("chown", "postgres", _folder.FullName);
        await ServerProcess.RunAsync(
            [.. asUser, Path.Combine(_bin, "initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8"]);
        _command = [.. asUser, Path.Combine(_bin, "postgres"), "-D", data, "-p", $"{_port}", "-k", _folder.FullName, "-h", "127.0.0.1"];
        await StartAsync();
    }

    /// <summary>Kills the server, as a crash does.</summary>
    public async Task CrashAsync()
    {
        await _server!.DisposeAsync();
        NpgsqlConnection.ClearAllPools();
    }

    /// <summary>Starts the server, also again after a crash.</summary>
    public async Task StartAsync()
    {
        // QUIT is the immediate shutdown: nothing is written out, the next start recovers from the log.
        _server = ServerProcess.Start("QUIT", new Dictionary<string, string>(), _command);
        await _server.WaitForPortAsync(_port, StartLimit);
        await WaitForLoginAsync();
    }

    /// <summary>Creates an empty database and returns its connection string.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = $"test_{Guid.NewGuid():n}";
        await using var source = NpgsqlDataSource.Create(Connection("postgres"));
        await using var command = source.CreateCommand($"create database {name}");
        await command.ExecuteNonQueryAsync();
        return Connection(name);
    }

    /// <summary>Writes a database to a file, while it is used.</summary>
    public Task DumpAsync(string connection, string file) =>
        ServerProcess.RunAsync(Path.Combine(_bin, "pg_dump"), "-h", "127.0.0.1", "-p", $"{_port}", "-U", "postgres", "-f", file, NameOf(connection));

    /// <summary>Makes a new database of such a file and returns its connection string.</summary>
    public async Task<string> RestoreAsync(string file)
    {
        var connection = await NewDatabaseAsync();
        await ServerProcess.RunAsync(
            Path.Combine(_bin, "psql"), "-h", "127.0.0.1", "-p", $"{_port}", "-U", "postgres", "-q", "-v", "ON_ERROR_STOP=1", "-f", file, NameOf(connection));
        return connection;
    }

    /// <summary>Stops the server and deletes its folder.</summary>
    public async Task DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        try
        {
            _folder.Delete(recursive: true);
        }
        catch (IOException)
        {
            // The stopped server wrote one more file; the system cleans its temporary folder.
        }
    }

    private static string NameOf(string connection) => new NpgsqlConnectionStringBuilder(connection).Database!;

    private string Connection(string database) => $"Host=127.0.0.1;Port={_port};Username=postgres;Database={database};Pooling=true;Maximum Pool Size=20";

    private async Task WaitForLoginAsync()
    {
        using var limit = new CancellationTokenSource(StartLimit);
        await using var source = NpgsqlDataSource.Create(Connection("postgres"));
        while (true)
        {
            try
            {
                await using var connection = await source.OpenConnectionAsync(limit.Token);
                return;
            }
            catch (NpgsqlException) when (!limit.IsCancellationRequested)
            {
                await Task.Delay(50, limit.Token);
            }
        }
    }
}
