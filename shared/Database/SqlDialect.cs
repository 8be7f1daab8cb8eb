using System.Data.Common;
using DbUp.Builder;

namespace Espalier.Database;

/// <summary>
/// What differs between the databases: how a connection is opened, how rows are locked, and what an error means. Statements are
/// shared; where they cannot be, they take a clause from here.
/// </summary>
public abstract class SqlDialect : IAsyncDisposable, IDisposable
{
    /// <summary>Ends a select that takes free rows: rows that another transaction holds are passed over.</summary>
    public abstract string SkipLocked { get; }

    /// <summary>Ends a select whose rows must not change until the commit.</summary>
    public abstract string ForUpdate { get; }

    /// <summary>Column type of a primary key that the database counts up; <c>$identity$</c> in migrations.</summary>
    public abstract string Identity { get; }

    /// <summary>
    /// A condition that a column has one of the values of a list, which is passed as <see cref="List"/>. The statement keeps its
    /// text however long the list is, so its plan is found again by that text.
    /// </summary>
    public abstract string In(string column, string parameter);

    /// <summary>The parameter for <see cref="In"/>.</summary>
    public abstract object List<T>(IReadOnlyCollection<T> values);

    /// <summary>Opens a connection, ready for statements.</summary>
    public abstract Task<DbConnection> OpenAsync(CancellationToken cancellationToken);

    /// <summary>Begins a transaction that may write.</summary>
    public abstract Task<DbTransaction> BeginAsync(DbConnection connection, CancellationToken cancellationToken);

    /// <summary>Waits until no other transaction that named this key is under way, in any process; until the commit, no other goes on.</summary>
    public abstract Task SerializeAsync(DbConnection connection, DbTransaction transaction, long key, CancellationToken cancellationToken);

    /// <summary>Whether the transaction collided with another one, so that running it again may help.</summary>
    public abstract bool IsCollision(DbException e);

    /// <summary>Whether nothing can be written at all, whatever the statement: a full disk, a file that may not be written.</summary>
    public abstract bool IsUnwritable(DbException e);

    /// <summary>Whether the database does not answer at all, whatever the statement.</summary>
    public abstract bool IsUnavailable(DbException e);

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();

    /// <summary>Waits for the right to write where the database takes one writer at a time.</summary>
    internal abstract Task<IDisposable?> EnterWriteAsync(CancellationToken cancellationToken);

    /// <summary>Begins the one transaction in which scripts run; every other process waits here until it ends.</summary>
    internal abstract Task<DbTransaction> BeginMigrationAsync(DbConnection connection, TimeSpan limit, CancellationToken cancellationToken);

    /// <summary>DbUp over a connection that is already open.</summary>
    internal abstract UpgradeEngineBuilder Deploy(DbConnection connection);
}
