using System.Data.Common;
using Espalier.Database;

namespace Espalier.Registry;

/// <summary>The database of models, versions, aliases and events.</summary>
public sealed class RegistryDatabase(RegistryOptions options, TimeProvider? time = null) : SqlDatabase(DialectOf(options), time ?? TimeProvider.System)
{
    // A cache of 32 MiB, and pages of the file mapped instead of copied. LIKE tells capitals apart, as it does on PostgreSQL.
    private const string Pragmas = "pragma cache_size=-32768; pragma mmap_size=1073741824; pragma temp_store=memory; pragma case_sensitive_like=on;";

    /// <summary>Its scripts; the journal has been this table, with whole names of resources, since the first version.</summary>
    internal static readonly Migrations Migrations = new("registry", typeof(RegistryDatabase).Assembly, "Espalier.Registry.Migrations.", new MigrationJournal
    {
        Create = "create table if not exists registry_migration (name text primary key)",
        Select = "select name from registry_migration",
        Insert = "insert into registry_migration (name) values (@name)",
        KeepsPrefix = true,
    });

    /// <summary>Whether it is SQLite.</summary>
    internal bool IsSqlite => Dialect is SqliteDialect;

    /// <summary>Called with every connection; for tests that look at statements.</summary>
    internal Action<DbConnection>? Opened { get; set; }

    /// <inheritdoc/>
    public override async Task<DbConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var connection = await base.OpenAsync(cancellationToken).ConfigureAwait(false);
        Opened?.Invoke(connection);
        return connection;
    }

    /// <summary>Brings it to the newest schema; what it holds stays.</summary>
    /// <exception cref="InvalidOperationException">It is newer than this program.</exception>
    public Task MigrateAsync(CancellationToken cancellationToken) => Migrator.MigrateAsync(this, Migrations, cancellationToken);

    /// <summary>Whether it has the newest schema; changes nothing.</summary>
    public Task<bool> IsCurrentAsync(CancellationToken cancellationToken) => Migrator.IsCurrentAsync(this, Migrations, cancellationToken);

    private static SqlDialect DialectOf(RegistryOptions options) =>
        options.IsPostgres ? new PostgresDialect(options.Database) : new SqliteDialect(options.Database, Pragmas);
}
