using System.Data;
using System.Data.Common;
using System.Net.Sockets;
using Dapper;
using DbUp;
using DbUp.Builder;
using DbUp.Engine.Transactions;
using DbUp.Sqlite.Helpers;
using Npgsql;

namespace Espalier.Database;

/// <summary>A PostgreSQL server: row locks, several processes.</summary>
public sealed class PostgresDialect(string connectionString) : SqlDialect
{
    private const long MigrationLock = 7_305_112_904_417_386_081;
    private readonly NpgsqlDataSource _source = NpgsqlDataSource.Create(WithoutCompiler(connectionString));

    /// <inheritdoc/>
    public override string SkipLocked => "for update skip locked";

    /// <inheritdoc/>
    public override string ForUpdate => "for update";

    /// <inheritdoc/>
    public override string Identity => "bigint generated always as identity primary key";

    /// <inheritdoc/>
    public override string In(string column, string parameter) => $"{column} = any(@{parameter})";

    /// <inheritdoc/>
    public override object List<T>(IReadOnlyCollection<T> values) => values.ToArray();

    /// <inheritdoc/>
    public override async Task<DbConnection> OpenAsync(CancellationToken cancellationToken) =>
        await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public override async Task<DbTransaction> BeginAsync(DbConnection connection, CancellationToken cancellationToken) =>
        await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public override Task SerializeAsync(DbConnection connection, DbTransaction transaction, long key, CancellationToken cancellationToken) =>
        LockAsync(connection, transaction, key, null, cancellationToken);

    /// <inheritdoc/>
    public override bool IsCollision(DbException e) =>
        e is PostgresException { SqlState: PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure };

    /// <summary>Disk and rights are the server's own affair: what it refuses is a failure of one statement.</summary>
    public override bool IsUnwritable(DbException e) => false;

    /// <inheritdoc/>
    public override bool IsUnavailable(DbException e) => e switch
    {
        // Class 08: the connection; 57P01 to 57P03: shut down, crashed, starting up; 53300: no connection left.
        PostgresException p => p.SqlState.StartsWith("08", StringComparison.Ordinal) || p.SqlState.StartsWith("57P0", StringComparison.Ordinal)
            || p.SqlState == PostgresErrorCodes.TooManyConnections,
        NpgsqlException n => n.InnerException is SocketException or IOException or TimeoutException,
        _ => false,
    };

    /// <inheritdoc/>
    public override void Dispose() => _source.Dispose();

    /// <inheritdoc/>
    public override ValueTask DisposeAsync() => _source.DisposeAsync();

    internal override Task<IDisposable?> EnterWriteAsync(CancellationToken cancellationToken) => Task.FromResult<IDisposable?>(null);

    internal override async Task<DbTransaction> BeginMigrationAsync(DbConnection connection, TimeSpan limit, CancellationToken cancellationToken)
    {
        var transaction = await BeginAsync(connection, cancellationToken).ConfigureAwait(false);
        await LockAsync(connection, transaction, MigrationLock, (int)limit.TotalSeconds, cancellationToken).ConfigureAwait(false);
        return transaction;
    }

    internal override UpgradeEngineBuilder Deploy(DbConnection connection) => DeployChanges.To.PostgresqlDatabase(new OpenConnection(connection));

    private static Task LockAsync(DbConnection connection, DbTransaction transaction, long key, int? limit, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(new CommandDefinition("select pg_advisory_xact_lock(@key)", new { key }, transaction, limit,
            cancellationToken: cancellationToken));

    // Statements here are short, and compiling them to machine code first does not pay. Whoever names options of a session decides on that too.
    private static string WithoutCompiler(string connectionString)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        if (string.IsNullOrEmpty(settings.Options))
            settings.Options = "-c jit=off";
        return settings.ConnectionString;
    }

    /// <summary>DbUp's own manager opens a connection of its own, outside the transaction that holds the lock; and Npgsql needs no script split.</summary>
    private sealed class OpenConnection(IDbConnection connection) : DatabaseConnectionManager(_ => new SharedConnection(connection))
    {
        public override IEnumerable<string> SplitScriptIntoCommands(string scriptContents) => [scriptContents];
    }
}
