using System.Data.Common;
using Espalier.Database;
using Espalier.FaultInjection;

namespace Espalier.Orchestrator.Database;

/// <summary>The database of runs, steps, workers and keys.</summary>
internal sealed class LedgerDatabase(SqlDialect dialect, TimeProvider time) : SqlDatabase(dialect, time)
{
    /// <summary>Its scripts; the journal has been this table since the first version.</summary>
    public static readonly Migrations Migrations = new("ledger", typeof(LedgerDatabase).Assembly, "migrations/", new MigrationJournal
    {
        Create = "create table if not exists schema_version (version integer primary key, script text not null, applied_at bigint not null)",
        Select = "select script from schema_version",
        Insert = "insert into schema_version (version, script, applied_at) values (@version, @name, @now)",
    });

    /// <summary>The database that the settings name.</summary>
    public static LedgerDatabase Open(OrchestratorOptions options, TimeProvider time) =>
        new(options.Provider == LedgerProvider.PostgreSql ? new PostgresDialect(options.Connection) : new SqliteDialect(options.Connection), time);

    /// <summary>Called with every connection; for tests that look at statements.</summary>
    internal Action<DbConnection>? Opened { get; set; }

    /// <summary>Called before every commit; for tests that look at what others can do meanwhile.</summary>
    internal Action? Committing { get; set; }

    /// <inheritdoc/>
    public override async Task<DbConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var connection = await base.OpenAsync(cancellationToken).ConfigureAwait(false);
        Opened?.Invoke(connection);
        return connection;
    }

    /// <summary>Brings it to the newest schema.</summary>
    /// <exception cref="InvalidOperationException">It is newer than this program.</exception>
    public Task MigrateAsync(CancellationToken cancellationToken, int upTo = int.MaxValue) => Migrator.MigrateAsync(this, Migrations, cancellationToken, upTo);

    /// <inheritdoc/>
    protected override void OnCommitting()
    {
        Faults.Reach(FaultPoints.LedgerCommit);
        Committing?.Invoke();
    }

    /// <inheritdoc/>
    protected override void OnCommitted() => Faults.Reach(FaultPoints.LedgerCommitted);
}
