using Dapper;
using Espalier.TestKit.Servers;
using Microsoft.Data.Sqlite;

namespace Espalier.Database.Tests;

/// <summary>Both databases, by the names that theories use.</summary>
public enum Engine
{
    Sqlite,
    Postgres,
}

/// <summary>Empty databases of both kinds; a connection string opened twice stands for two processes.</summary>
public sealed class TestDatabases : IAsyncLifetime
{
    private readonly PostgresServer _postgres = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("database-");

    public static readonly MigrationJournal Journal = new()
    {
        Create = "create table if not exists migration (version integer primary key, script text not null, applied_at bigint not null)",
        Select = "select script from migration",
        Insert = "insert into migration (version, script, applied_at) values (@version, @name, @now)",
    };

    public static readonly Migrations Migrations = new("test", typeof(TestDatabases).Assembly, "scripts/", Journal);

    public Task InitializeAsync() => _postgres.InitializeAsync();

    /// <summary>How to connect to a new database.</summary>
    public async Task<string> NewAsync(Engine engine) =>
        engine == Engine.Postgres ? await _postgres.NewDatabaseAsync() : $"Data Source={Path.Combine(_folder.FullName, $"{Guid.NewGuid():n}.db")}";

    public static SqlDatabase Open(Engine engine, string connection, TimeProvider? time = null) =>
        new(engine == Engine.Postgres ? new PostgresDialect(connection) : new SqliteDialect(connection), time ?? TimeProvider.System);

    /// <summary>A new database with every table.</summary>
    public async Task<SqlDatabase> CreateAsync(Engine engine, TimeProvider? time = null)
    {
        var database = Open(engine, await NewAsync(engine), time);
        await Migrator.MigrateAsync(database, Migrations, default);
        return database;
    }

    public async Task DisposeAsync()
    {
        await _postgres.DisposeAsync();
        SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }
}

internal static class TestDatabaseExtensions
{
    public static Task<long> CountAsync(this SqlDatabase database, string sql) => database.ReadAsync(c => c.ExecuteScalarAsync<long>(sql), default);
}

/// <summary>Time that stands still until it is moved.</summary>
internal sealed class ManualTime : TimeProvider
{
    private DateTimeOffset _now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => _now;

    public override long GetTimestamp() => _now.Ticks;

    public void Advance(TimeSpan time) => _now += time;
}
