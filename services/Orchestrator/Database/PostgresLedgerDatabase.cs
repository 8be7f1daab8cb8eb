using System.Data;
using System.Data.Common;
using Dapper;
using Npgsql;

namespace Espalier.Orchestrator.Database;

/// <summary>A PostgreSQL server: row locks, several orchestrators.</summary>
internal sealed class PostgresLedgerDatabase(string connectionString, TimeProvider time) : LedgerDatabase(time), IAsyncDisposable
{
    private const long MigrationLock = 7_305_112_904_417_386_081;
    private const long QuotaLock = 7_305_112_904_417_386_082;
    private readonly NpgsqlDataSource _source = NpgsqlDataSource.Create(connectionString);

    public override string SkipLocked => "for update skip locked";

    public override string ForUpdate => "for update";

    public override bool HasOneProcess => false;

    public override string Identity => "bigint generated always as identity primary key";

    /// <summary>Npgsql sends a list as one array.</summary>
    public override string In(string column, string list) => $"{column} = any({list})";

    public override async Task<DbConnection> OpenAsync(CancellationToken cancellationToken) =>
        await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);

    public override Task LockMigrationsAsync(DbConnection connection, DbTransaction transaction) =>
        connection.ExecuteAsync("select pg_advisory_xact_lock(@key)", new { key = MigrationLock }, transaction);

    public override Task SerializeAsync(DbConnection connection, DbTransaction transaction) =>
        connection.ExecuteAsync("select pg_advisory_xact_lock(@key)", new { key = QuotaLock }, transaction);

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    protected override async Task<DbTransaction> BeginAsync(DbConnection connection, CancellationToken cancellationToken) =>
        await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken).ConfigureAwait(false);

    protected override Task<IDisposable?> EnterWriteAsync(CancellationToken cancellationToken) => Task.FromResult<IDisposable?>(null);

    protected override bool IsCollision(DbException e) =>
        e is PostgresException { SqlState: PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure };
}
