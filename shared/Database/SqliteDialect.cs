using System.Data;
using System.Data.Common;
using System.Text.Json;
using Dapper;
using DbUp;
using DbUp.Builder;
using DbUp.Sqlite.Helpers;
using Microsoft.Data.Sqlite;

namespace Espalier.Database;

/// <summary>One file with a write-ahead log. Writers of this process queue up here, so that none of them polls for the file's lock.</summary>
/// <param name="connectionString"><c>Data Source=FILE</c>.</param>
/// <param name="pragmas">Further pragmas of every connection, each ended by a semicolon.</param>
public sealed class SqliteDialect(string connectionString, string pragmas = "") : SqlDialect
{
    private const int Busy = 5, ReadOnly = 8, DiskError = 10, Full = 13, CannotOpen = 14;
    private readonly SemaphoreSlim _writer = new(1, 1);
    private readonly string _pragmas = "pragma synchronous=full; pragma foreign_keys=on; " + pragmas;
    private volatile bool _isWal;

    /// <summary>Nothing: writers follow one another anyway.</summary>
    public override string SkipLocked => "";

    /// <summary>Nothing: writers follow one another anyway.</summary>
    public override string ForUpdate => "";

    /// <inheritdoc/>
    public override string Identity => "integer primary key autoincrement";

    /// <inheritdoc/>
    public override string In(string column, string parameter) => $"{column} in (select value from json_each(@{parameter}))";

    /// <inheritdoc/>
    public override object List<T>(IReadOnlyCollection<T> values) => JsonSerializer.Serialize(values);

    /// <inheritdoc/>
    public override async Task<DbConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var connection = new SqliteConnection(connectionString);
        try
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            await connection.ExecuteAsync(_isWal ? _pragmas : "pragma journal_mode=wal; " + _pragmas).ConfigureAwait(false);
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
        _isWal = true; // the file remembers its journal mode; the other pragmas belong to the connection
        return connection;
    }

    /// <inheritdoc/>
    public override Task<DbTransaction> BeginAsync(DbConnection connection, CancellationToken cancellationToken) =>
        Task.FromResult<DbTransaction>(((SqliteConnection)connection).BeginTransaction(IsolationLevel.Serializable, deferred: false));

    /// <summary>Nothing to wait for: writers follow one another anyway.</summary>
    public override Task SerializeAsync(DbConnection connection, DbTransaction transaction, long key, CancellationToken cancellationToken) =>
        Task.CompletedTask;

    /// <inheritdoc/>
    public override bool IsCollision(DbException e) => e is SqliteException { SqliteErrorCode: Busy };

    /// <inheritdoc/>
    public override bool IsUnwritable(DbException e) => e is SqliteException { SqliteErrorCode: ReadOnly or DiskError or Full or CannotOpen };

    /// <inheritdoc/>
    public override bool IsUnavailable(DbException e) => e is SqliteException { SqliteErrorCode: Busy or ReadOnly or DiskError or Full or CannotOpen };

    /// <inheritdoc/>
    public override void Dispose() => _writer.Dispose();

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    internal override async Task<IDisposable?> EnterWriteAsync(CancellationToken cancellationToken)
    {
        await _writer.WaitAsync(cancellationToken).ConfigureAwait(false);
        return new Turn(_writer);
    }

    internal override Task<DbTransaction> BeginMigrationAsync(DbConnection connection, TimeSpan limit, CancellationToken cancellationToken)
    {
        ((SqliteConnection)connection).DefaultTimeout = (int)limit.TotalSeconds;
        return BeginAsync(connection, cancellationToken);
    }

    internal override UpgradeEngineBuilder Deploy(DbConnection connection) => DeployChanges.To.SqliteDatabase(new SharedConnection(connection));

    private sealed class Turn(SemaphoreSlim writer) : IDisposable
    {
        public void Dispose() => writer.Release();
    }
}
