using System.Data.Common;
using Dapper;

namespace Espalier.Database;

/// <summary>A database: short transactions only, repeated when the server says that they collided.</summary>
public class SqlDatabase : IAsyncDisposable, IDisposable
{
    private const int Tries = 6;
    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(10);
    private readonly TimeProvider _time;
    private readonly DateTimeOffset _startedAt;
    private readonly long _started;

    static SqlDatabase() => DefaultTypeMap.MatchNamesWithUnderscores = true;

    /// <summary>A database behind a dialect, which it owns.</summary>
    public SqlDatabase(SqlDialect dialect, TimeProvider time)
    {
        (Dialect, _time) = (dialect, time);
        (_startedAt, _started) = (time.GetUtcNow(), time.GetTimestamp());
    }

    /// <summary>What the database understands.</summary>
    public SqlDialect Dialect { get; }

    /// <summary>
    /// Milliseconds since 1970 UTC: the wall clock when the process started, and from there the monotonic clock, so that a
    /// wall clock that jumps neither ends a lease nor prolongs it.
    /// </summary>
    public long Now => (_startedAt + _time.GetElapsedTime(_started)).ToUnixTimeMilliseconds();

    /// <summary>
    /// Since when writes fail, and why; null when none failed lately. On a full disk a small write succeeds now and then, which does
    /// not end the trouble.
    /// </summary>
    public DatabaseTrouble? Trouble { get; private set; }

    /// <summary>Opens a connection, ready for statements.</summary>
    public virtual Task<DbConnection> OpenAsync(CancellationToken cancellationToken) => Dialect.OpenAsync(cancellationToken);

    /// <summary>Reads outside a transaction.</summary>
    public async Task<T> ReadAsync<T>(Func<DbConnection, Task<T>> read, CancellationToken cancellationToken)
    {
        var connection = await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
            return await read(connection).ConfigureAwait(false);
    }

    /// <summary>Runs a transaction; when it collides with another it is run again, so it must not act outside the database.</summary>
    public async Task<T> WriteAsync<T>(Func<DatabaseTransaction, Task<T>> write, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var result = await WriteOnceAsync(write, cancellationToken).ConfigureAwait(false);
                if (Trouble is { } trouble && _time.GetElapsedTime(trouble.Last) > Calm)
                    Trouble = null;
                return result;
            }
            catch (DbException e) when (Dialect.IsUnwritable(e))
            {
                Trouble = new DatabaseTrouble(Trouble?.Since ?? _time.GetTimestamp(), _time.GetTimestamp(), e.Message);
                throw;
            }
            catch (DbException e) when (attempt < Tries && Dialect.IsCollision(e))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10 << attempt), _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>As <see cref="WriteAsync{T}"/>, without a result.</summary>
    public Task WriteAsync(Func<DatabaseTransaction, Task> write, CancellationToken cancellationToken) =>
        WriteAsync(async transaction =>
        {
            await write(transaction).ConfigureAwait(false);
            return true;
        }, cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dialect.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return Dialect.DisposeAsync();
    }

    /// <summary>Called when everything of a transaction is written, before it commits.</summary>
    protected virtual void OnCommitting()
    {
    }

    /// <summary>Called after a commit.</summary>
    protected virtual void OnCommitted()
    {
    }

    private async Task<T> WriteOnceAsync<T>(Func<DatabaseTransaction, Task<T>> write, CancellationToken cancellationToken)
    {
        using var turn = await Dialect.EnterWriteAsync(cancellationToken).ConfigureAwait(false);
        var connection = await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var transaction = await Dialect.BeginAsync(connection, cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                var result = await write(new DatabaseTransaction(Dialect, connection, transaction, Now)).ConfigureAwait(false);
                OnCommitting();
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                OnCommitted();
                return result;
            }
        }
    }
}

/// <summary>The database cannot be written.</summary>
/// <param name="Since">Timestamp of the first write that failed.</param>
/// <param name="Last">Timestamp of the last one.</param>
/// <param name="Reason">What the database says.</param>
public sealed record DatabaseTrouble(long Since, long Last, string Reason);
