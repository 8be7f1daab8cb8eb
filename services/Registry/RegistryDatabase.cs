using System.Data.Common;
using Dapper;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Espalier.Registry;

/// <summary>Opens connections to SQLite or PostgreSQL and brings the schema up to date.</summary>
public sealed class RegistryDatabase(RegistryOptions options)
{
    private const long MigrationLock = 0x4573_7052; // any constant: one migrator at a time

    // Of a connection, not of the file: a cache of 32 MiB, and pages of the file mapped instead of copied. LIKE tells capitals apart, as it does on PostgreSQL.
    private const string Pragmas = "pragma journal_mode=wal; pragma foreign_keys=on; pragma busy_timeout=10000; pragma cache_size=-32768; pragma mmap_size=1073741824; pragma temp_store=memory; pragma case_sensitive_like=on";

    // Statements here are short, and compiling them to machine code first does not pay. Whoever names options of a session decides on that too.
    private readonly string _postgres = options.IsPostgres && new NpgsqlConnectionStringBuilder(options.Database) is { Options: null or "" } settings
        ? new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Options = "-c jit=off" }.ConnectionString
        : options.Database;

    /// <summary>Whether it is SQLite.</summary>
    internal bool IsSqlite => !options.IsPostgres;

    /// <summary>Called with every connection; for tests that look at statements.</summary>
    internal Action<DbConnection>? Opened { get; set; }

    /// <summary>An open connection.</summary>
    public async Task<DbConnection> OpenAsync(CancellationToken cancellationToken)
    {
        DbConnection connection = options.IsPostgres ? new NpgsqlConnection(_postgres) : new SqliteConnection(options.Database);
        await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        if (!options.IsPostgres)
            await connection.ExecuteAsync(Pragmas).ConfigureAwait(false);
        Opened?.Invoke(connection);
        return connection;
    }

    /// <summary>Applies the migrations that are missing, in order, all or nothing. Old data stay.</summary>
    public async Task MigrateAsync(CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        if (options.IsPostgres)
            await connection.ExecuteAsync("select pg_advisory_xact_lock(@MigrationLock)", new { MigrationLock }, transaction).ConfigureAwait(false);
        await connection.ExecuteAsync("create table if not exists registry_migration (name text primary key)", transaction: transaction).ConfigureAwait(false);
        var applied = (await connection.QueryAsync<string>("select name from registry_migration", transaction: transaction).ConfigureAwait(false)).ToHashSet();
        foreach (var (name, sql) in Migrations().Where(m => !applied.Contains(m.Name)))
        {
            await connection.ExecuteAsync(sql, transaction: transaction).ConfigureAwait(false);
            await connection.ExecuteAsync("insert into registry_migration(name) values (@name)", new { name }, transaction).ConfigureAwait(false);
        }
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static IEnumerable<(string Name, string Sql)> Migrations()
    {
        var assembly = typeof(RegistryDatabase).Assembly;
        foreach (var resource in assembly.GetManifestResourceNames().Where(n => n.EndsWith(".sql", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            yield return (resource, reader.ReadToEnd());
        }
    }
}
