using System.Data.Common;
using Dapper;

namespace Espalier.Database;

/// <summary>One transaction: statements, and the time at which all of it happens.</summary>
public sealed class DatabaseTransaction
{
    private readonly DbConnection _connection;
    private readonly DbTransaction _transaction;

    internal DatabaseTransaction(SqlDialect dialect, DbConnection connection, DbTransaction transaction, long now)
    {
        (Dialect, Now) = (dialect, now);
        (_connection, _transaction) = (connection, transaction);
    }

    /// <summary>Milliseconds since 1970 UTC, the same for the whole transaction.</summary>
    public long Now { get; }

    /// <summary>Dialect of the statements.</summary>
    public SqlDialect Dialect { get; }

    /// <summary>Waits until no other transaction that named this key is under way; until the commit, no other goes on.</summary>
    public Task SerializeAsync(long key) => Dialect.SerializeAsync(_connection, _transaction, key, default);

    /// <summary>Runs a statement; returns the number of rows changed.</summary>
    public Task<int> ExecuteAsync(string sql, object? arguments = null) => _connection.ExecuteAsync(sql, arguments, _transaction);

    /// <summary>Reads rows.</summary>
    public async Task<List<T>> QueryAsync<T>(string sql, object? arguments = null) =>
        (await _connection.QueryAsync<T>(sql, arguments, _transaction).ConfigureAwait(false)).AsList();

    /// <summary>Reads the first row, or the default.</summary>
    public Task<T?> FindAsync<T>(string sql, object? arguments = null) =>
        _connection.QueryFirstOrDefaultAsync<T>(sql, arguments, _transaction);
}
