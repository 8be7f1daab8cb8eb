using System.Data.Common;
using Dapper;
using Espalier.FaultInjection;

namespace Espalier.Orchestrator.Database;

/// <summary>
/// The ledger's database: short transactions only, repeated when the server says that they collided. SQL is shared by the
/// dialects; where they differ, the SQL carries a placeholder (<see cref="SkipLocked"/>, <see cref="ForUpdate"/>).
/// </summary>
internal abstract class LedgerDatabase(TimeProvider time)
{
    private const int Tries = 6;
    private readonly DateTimeOffset _startedAt = time.GetUtcNow();
    private readonly long _started = time.GetTimestamp();

    static LedgerDatabase() => DefaultTypeMap.MatchNamesWithUnderscores = true;

    /// <summary>Ends a select that takes one free row: others skip it.</summary>
    public abstract string SkipLocked { get; }

    /// <summary>Ends a select whose row must not change until the commit.</summary>
    public abstract string ForUpdate { get; }

    /// <summary>Condition that a column has one of the values of a list parameter.</summary>
    public abstract string In(string column, string list);

    /// <summary>Whether one process at a time uses the database, with one writer.</summary>
    public abstract bool HasOneProcess { get; }

    /// <summary>Column type of a number that the database counts up.</summary>
    public abstract string Identity { get; }

    /// <summary>
    /// Milliseconds since 1970 UTC: the wall clock when the process started, and from there the monotonic clock, so that a
    /// wall clock that jumps neither ends a lease nor prolongs it.
    /// </summary>
    public long Now => (_startedAt + time.GetElapsedTime(_started)).ToUnixTimeMilliseconds();

    /// <summary>Since when writes fail, and why; null when the last one succeeded.</summary>
    public LedgerTrouble? Trouble { get; private set; }

    /// <summary>Reads outside a transaction.</summary>
    public async Task<T> ReadAsync<T>(Func<DbConnection, Task<T>> read, CancellationToken cancellationToken)
    {
        var connection = await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
            return await read(connection).ConfigureAwait(false);
    }

    /// <summary>Runs a transaction; when it collides with another it is run again, so it must not act outside the database.</summary>
    public async Task<T> WriteAsync<T>(Func<LedgerTransaction, Task<T>> write, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var result = await WriteOnceAsync(write, cancellationToken).ConfigureAwait(false);
                Trouble = null;
                return result;
            }
            catch (DbException e) when (IsUnwritable(e))
            {
                Trouble = new LedgerTrouble(Trouble?.Since ?? time.GetTimestamp(), e.Message);
                throw;
            }
            catch (DbException e) when (attempt < Tries && IsCollision(e))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10 << attempt), time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>As <see cref="WriteAsync{T}"/>, without a result.</summary>
    public Task WriteAsync(Func<LedgerTransaction, Task> write, CancellationToken cancellationToken) =>
        WriteAsync(async transaction =>
        {
            await write(transaction).ConfigureAwait(false);
            return true;
        }, cancellationToken);

    /// <summary>Opens a connection, ready for statements.</summary>
    public abstract Task<DbConnection> OpenAsync(CancellationToken cancellationToken);

    /// <summary>Makes this process, or this connection until it closes, the only one that migrates.</summary>
    public abstract Task LockMigrationsAsync(DbConnection connection, DbTransaction transaction);

    /// <summary>Lets only one transaction at a time go on from here, in all orchestrators.</summary>
    public abstract Task SerializeAsync(DbConnection connection, DbTransaction transaction);

    /// <summary>Begins a transaction that may write.</summary>
    protected abstract Task<DbTransaction> BeginAsync(DbConnection connection, CancellationToken cancellationToken);

    /// <summary>Waits for the right to write where the database takes one writer at a time.</summary>
    protected abstract Task<IDisposable?> EnterWriteAsync(CancellationToken cancellationToken);

    /// <summary>Whether running the transaction again may help.</summary>
    protected abstract bool IsCollision(DbException e);

    /// <summary>Whether no transaction can be written at all, whatever is in it.</summary>
    protected virtual bool IsUnwritable(DbException e) => false;

    private async Task<T> WriteOnceAsync<T>(Func<LedgerTransaction, Task<T>> write, CancellationToken cancellationToken)
    {
        using var gate = await EnterWriteAsync(cancellationToken).ConfigureAwait(false);
        var connection = await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var transaction = await BeginAsync(connection, cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                var result = await write(new LedgerTransaction(this, connection, transaction, Now)).ConfigureAwait(false);
                Faults.Reach(FaultPoints.LedgerCommit);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                Faults.Reach(FaultPoints.LedgerCommitted);
                return result;
            }
        }
    }
}

/// <summary>The ledger cannot be written.</summary>
/// <param name="Since">Timestamp of the first write that failed.</param>
/// <param name="Reason">What the database says.</param>
public sealed record LedgerTrouble(long Since, string Reason);

/// <summary>One transaction: statements, and the time at which all of it happens.</summary>
internal sealed class LedgerTransaction(LedgerDatabase database, DbConnection connection, DbTransaction transaction, long now)
{
    /// <summary>Milliseconds since 1970 UTC, the same for the whole transaction.</summary>
    public long Now { get; } = now;

    /// <summary>Dialect of the statements.</summary>
    public LedgerDatabase Dialect { get; } = database;

    /// <summary>Waits until no other transaction that called this is under way; until the commit, nobody else goes on.</summary>
    public Task SerializeAsync() => Dialect.SerializeAsync(connection, transaction);

    /// <summary>Runs a statement; returns the number of rows changed.</summary>
    public Task<int> ExecuteAsync(string sql, object? arguments = null) => connection.ExecuteAsync(sql, arguments, transaction);

    /// <summary>Reads rows.</summary>
    public async Task<List<T>> QueryAsync<T>(string sql, object? arguments = null) =>
        (await connection.QueryAsync<T>(sql, arguments, transaction).ConfigureAwait(false)).AsList();

    /// <summary>Reads the first row, or the default.</summary>
    public Task<T?> FindAsync<T>(string sql, object? arguments = null) =>
        connection.QueryFirstOrDefaultAsync<T>(sql, arguments, transaction);
}
