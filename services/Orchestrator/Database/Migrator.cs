using System.Data.Common;
using System.Globalization;
using Dapper;

namespace Espalier.Orchestrator.Database;

/// <summary>Brings the database to the newest schema: numbered scripts in the assembly, each run once, all in one transaction.</summary>
internal static class Migrator
{
    private const string Prefix = "migrations/";

    /// <summary>Runs the scripts that the database has not seen.</summary>
    /// <param name="database">Which database.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <param name="upTo">The last version to go to; older ones are for tests of migrations.</param>
    /// <exception cref="InvalidOperationException">The database is newer than this program.</exception>
    public static async Task MigrateAsync(LedgerDatabase database, CancellationToken cancellationToken, int upTo = int.MaxValue)
    {
        var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                await database.LockMigrationsAsync(connection, transaction).ConfigureAwait(false);
                await MigrateAsync(database, connection, transaction, upTo).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static async Task MigrateAsync(LedgerDatabase database, DbConnection connection, DbTransaction transaction, int upTo)
    {
        await connection.ExecuteAsync(
            "create table if not exists schema_version (version integer primary key, script text not null, applied_at bigint not null)",
            transaction: transaction).ConfigureAwait(false);
        var current = await connection.ExecuteScalarAsync<long?>("select max(version) from schema_version", transaction: transaction).ConfigureAwait(false) ?? 0;
        var scripts = Scripts();
        if (current > scripts[^1].Version)
            throw new InvalidOperationException(
                $"The ledger has schema version {current}, but this program knows only {scripts[^1].Version}: use a newer program.");

        foreach (var script in scripts.Where(s => s.Version > current && s.Version <= upTo))
        {
            await connection.ExecuteAsync(script.Sql.Replace("{identity}", database.Identity, StringComparison.Ordinal), transaction: transaction).ConfigureAwait(false);
            await connection.ExecuteAsync(
                "insert into schema_version (version, script, applied_at) values (@Version, @Name, @now)",
                new { script.Version, script.Name, now = database.Now }, transaction).ConfigureAwait(false);
        }
    }

    private static List<Script> Scripts()
    {
        var assembly = typeof(Migrator).Assembly;
        return
        [
            .. from resource in assembly.GetManifestResourceNames()
               where resource.StartsWith(Prefix, StringComparison.Ordinal)
               let name = resource[Prefix.Length..]
               let version = int.Parse(name.AsSpan(0, 3), CultureInfo.InvariantCulture)
               orderby version
               select new Script(version, name, Read(resource)),
        ];

        string Read(string resource)
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            return reader.ReadToEnd();
        }
    }

    private sealed record Script(int Version, string Name, string Sql);
}
