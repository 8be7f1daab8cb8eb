using System.Data;
using System.Data.Common;
using Dapper;
using Microsoft.Data.Sqlite;

namespace Espalier.Orchestrator.Database;

/// <summary>One file with a write-ahead log. Writers of this process queue up here, so that none of them ever polls for the file's lock.</summary>
internal sealed class SqliteLedgerDatabase(string connectionString, TimeProvider time) : LedgerDatabase(time), IDisposable
{
    private const int Busy = 5, ReadOnly = 8, DiskError = 10, Full = 13, CannotOpen = 14;
    private volatile bool _isPrepared;
    private readonly SemaphoreSlim _writer = new(1, 1);

    public override string SkipLocked => "";

    public override string ForUpdate => "";

    public override bool HasOneProcess => true;

    public override string Identity => "integer primary key autoincrement";

    public override string In(string column, string list) => $"{column} in {list}";

    public override async Task<DbConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var connection = new SqliteConnection(connectionString);
        await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        await connection.ExecuteAsync(_isPrepared ? "pragma synchronous=full; pragma foreign_keys=on;" : "pragma journal_mode=wal; pragma synchronous=full; pragma foreign_keys=on;").ConfigureAwait(false);
        _isPrepared = true; // the file remembers its journal mode; the rest belongs to the connection
        return connection;
    }

    public override Task LockMigrationsAsync(DbConnection connection, DbTransaction transaction) => Task.CompletedTask;

    /// <summary>Writers follow one another anyway.</summary>
    public override Task SerializeAsync(DbConnection connection, DbTransaction transaction) => Task.CompletedTask;

    public void Dispose() => _writer.Dispose();

    protected override Task<DbTransaction> BeginAsync(DbConnection connection, CancellationToken cancellationToken) =>
        Task.FromResult<DbTransaction>(((SqliteConnection)connection).BeginTransaction(IsolationLevel.Serializable, deferred: false));

    protected override async Task<IDisposable?> EnterWriteAsync(CancellationToken cancellationToken)
    {
        await _writer.WaitAsync(cancellationToken).ConfigureAwait(false);
        return new Turn(_writer);
    }

    protected override bool IsCollision(DbException e) => e is SqliteException { SqliteErrorCode: Busy };

    protected override bool IsUnwritable(DbException e) => e is SqliteException { SqliteErrorCode: ReadOnly or DiskError or Full or CannotOpen };

    private sealed class Turn(SemaphoreSlim writer) : IDisposable
    {
        public void Dispose() => writer.Release();
    }
}
