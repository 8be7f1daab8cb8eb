using System.Data.Common;
using System.Globalization;
using Dapper;
using DbUp.Engine;

namespace Espalier.Database;

/// <summary>
/// Brings a database to the newest schema. DbUp finds, orders, fills in and runs the scripts. The transaction and the lock are ours:
/// DbUp has no lock, and its transaction on SQLite begins as a read, so two processes that start at once would both run the scripts.
/// All scripts run in one transaction: all or nothing.
/// </summary>
public static class Migrator
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    /// <summary>Runs the scripts that the database has not seen.</summary>
    /// <param name="database">Which database.</param>
    /// <param name="migrations">Its scripts.</param>
    /// <param name="cancellationToken">Stops waiting for another process that migrates.</param>
    /// <param name="upTo">How many scripts there are; fewer than all is for tests of migrations.</param>
    /// <exception cref="InvalidOperationException">The database is newer than this program, or a script failed: then nothing has changed.</exception>
    public static async Task MigrateAsync(SqlDatabase database, Migrations migrations, CancellationToken cancellationToken, int upTo = int.MaxValue)
    {
        var connection = await database.Dialect.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var transaction = await database.Dialect.BeginMigrationAsync(connection, Limit, cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                var journal = new Journal(connection, transaction, migrations.Journal, database.Now);
                var scripts = migrations.Scripts();
                if (journal.GetExecutedScripts().Except(scripts.Select(s => s.Name)).Order(StringComparer.Ordinal).LastOrDefault() is { } unknown)
                {
                    throw new InvalidOperationException(
                        $"The {migrations.What} has seen migration '{unknown}', but this program knows only those up to '{scripts[^1].Name}': "
                        + "use a newer program.");
                }
                Run(database.Dialect, connection, scripts.Take(upTo), journal, migrations.What);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Whether a database has seen every script; changes nothing.</summary>
    /// <param name="database">Which database.</param>
    /// <param name="migrations">Its scripts.</param>
    /// <param name="cancellationToken">Stops waiting for another process that migrates.</param>
    public static async Task<bool> IsCurrentAsync(SqlDatabase database, Migrations migrations, CancellationToken cancellationToken)
    {
        var connection = await database.Dialect.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            // Never committed: where the journal is missing, it is missing afterwards.
            var transaction = await database.Dialect.BeginMigrationAsync(connection, Limit, cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                var seen = new Journal(connection, transaction, migrations.Journal, database.Now).GetExecutedScripts();
                return !migrations.Scripts().Select(s => s.Name).Except(seen).Any();
            }
        }
    }

    private static void Run(SqlDialect dialect, DbConnection connection, IEnumerable<SqlScript> scripts, Journal journal, string what)
    {
        var result = dialect.Deploy(connection)
            .WithScripts(scripts)
            .WithVariable("identity", dialect.Identity)
            .WithExecutionTimeout(Limit)
            .WithoutTransaction()
            .JournalTo(journal)
            .LogToNowhere()
            .Build()
            .PerformUpgrade();
        if (!result.Successful)
            throw new InvalidOperationException($"Migration '{result.ErrorScript?.Name}' of the {what} failed: {result.Error.Message}", result.Error);
    }

    private sealed class Journal(DbConnection connection, DbTransaction transaction, MigrationJournal table, long now) : IJournal
    {
        public string[] GetExecutedScripts()
        {
            connection.Execute(table.Create, transaction: transaction);
            return [.. connection.Query<string>(table.Select, transaction: transaction)];
        }

        public void StoreExecutedScript(SqlScript script, Func<System.Data.IDbCommand> dbCommandFactory) =>
            connection.Execute(table.Insert, new { name = script.Name, version = NumberOf(script.Name), now }, transaction);

        public void EnsureTableExistsAndIsLatestVersion(Func<System.Data.IDbCommand> dbCommandFactory)
        {
            // Made when it was read.
        }

        /// <summary>The three digits that a script's file name begins with.</summary>
        private static int NumberOf(string name)
        {
            var file = Path.GetFileNameWithoutExtension(name);
            var start = file.LastIndexOf('.') + 1;
            return int.Parse(file.AsSpan(start, 3), CultureInfo.InvariantCulture);
        }
    }
}
