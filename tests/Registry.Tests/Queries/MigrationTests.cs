using System.Data.Common;
using Dapper;
using Espalier.Registry.Queries;
using Espalier.Registry.Search;
using Espalier.TestKit.Servers;
using Microsoft.Data.Sqlite;

namespace Espalier.Registry.Tests.Queries;

/// <summary>A database from before cards, tags and metrics moved is brought up to date with all that it held.</summary>
public sealed class MigrationTests(PostgresServer postgres) : IClassFixture<PostgresServer>
{
    private const string Time = "2026-01-01T00:00:00.0000000+00:00", Zeros = "0000000000000000000000000000000000000000000000000000000000000000";

    [Fact]
    public async Task Migrate_OldSqlite_KeepsCardsTagsAliasesAndMetrics()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("espalier-migration").FullName, "registry.db");

        await CheckAsync($"Data Source={file}");

        SqliteConnection.ClearAllPools();
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    [Fact]
    public async Task Migrate_OldPostgres_KeepsCardsTagsAliasesAndMetrics() => await CheckAsync(await postgres.NewDatabaseAsync());

    private static async Task CheckAsync(string connectionString)
    {
        var database = new RegistryDatabase(new RegistryOptions { Database = connectionString });
        await using var connection = await database.OpenAsync(default);
        await SeedAsOfOldAsync(connection);

        await database.MigrateAsync(default);

        var version = (await VersionReader.FindAsync(connection, "moe", 2))!;
        (version.Card, version.Tags["team"], version.Aliases.Single(), version.Metrics["loss"]).ShouldBe(("# second", "core", "champion", 2.5));
        var found = await new VersionSearch(database).FindAsync("loss < 3 and tag.team = core and alias = champion order by loss", 10, null, default);
        found.Items.ShouldHaveSingleItem().Version.ShouldBe(2);
        var owed = await connection.QuerySingleAsync<(string, string)>("select type, body from registry_outbox");
        owed.ShouldBe(("alias.moved", "{\"n\":2}"), "what the bus had not got yet");
        (await connection.QuerySingleAsync<(string, long)>("select id, event from registry_delivery")).ShouldBe(("hook-2", 2L));
        var moves = await new ModelRegistry(database, TimeProvider.System).MovesAsync("moe", default);
        moves.Select(m => m.Version).ShouldBe([2, 1, 1], "the events say which move came last, whatever the clock said");
        (await new ModelQueries(database).FindModelAsync("moe", default))!.Latest.ShouldBe(2, "the third version was deleted");
    }

    /// <summary>The schema of the fourth migration, with two versions.</summary>
    private static async Task SeedAsOfOldAsync(DbConnection connection)
    {
        var assembly = typeof(RegistryDatabase).Assembly;
        await connection.ExecuteAsync("create table registry_migration (name text primary key)");
        foreach (var name in assembly.GetManifestResourceNames().Where(n => n.EndsWith(".sql", StringComparison.Ordinal)).Order(StringComparer.Ordinal).Take(4))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            await connection.ExecuteAsync(await reader.ReadToEndAsync());
            await connection.ExecuteAsync("insert into registry_migration(name) values (@name)", new { name });
        }
        await connection.ExecuteAsync(
            "insert into registry_model(name, created_at, updated_at, latest, versions) values ('moe', @Time, @Time, 3, 2)", new { Time });
        foreach (var (id, card) in new[] { (1, "# first"), (2, "# second") })
        {
            await connection.ExecuteAsync(
                """
                insert into registry_version(id, name, version, root, size_bytes, step_key, run_id, card, created_at)
                values (@id, 'moe', @id, @root, 1, @root, @run, @card, @Time)
                """,
                new { id, root = Zeros[..^1] + id, run = Guid.Empty.ToString("D"), card, Time });
        }
        await connection.ExecuteAsync("insert into registry_fact(version_id, metric, value) values (1, 'loss', 3.5), (2, 'loss', 2.5)");
        await connection.ExecuteAsync("insert into registry_tag(name, version, tag, value) values ('moe', 2, 'team', 'core'), ('moe', 0, 'team', 'core')");
        await connection.ExecuteAsync(
            """
            insert into registry_event(id, kind, model, body, created_at, published)
            values (1, 'model.registered', 'moe', '{}', @Time, 1), (2, 'alias.moved', 'moe', '{"n":2}', @Time, 0)
            """, new { Time });
        await connection.ExecuteAsync(
            """
            insert into registry_webhook(id, url, events, model, secret, created_by, created_at)
            values ('hook', 'https://example.org', 'model.registered alias.moved', '', 's', 'ada', @Time)
            """, new { Time });
        await connection.ExecuteAsync("insert into registry_alias(name, alias, version) values ('moe', 'champion', 2)");
        // Two moves with events, the second of which was made after the clock had been set back; one from before there were events.
        await connection.ExecuteAsync(
            """
            insert into registry_alias_move(name, alias, version, previous, actor, reason, moved_at, kind)
            values ('moe', 'champion', 2, 1, 'ada', '', @Time, 'moved'), ('moe', 'champion', 1, null, 'ada', '', '2026-02-02', 'moved'),
                   ('moe', 'champion', 1, null, 'ada', '', '2025-01-01', 'moved')
            """, new { Time });
        await connection.ExecuteAsync(
            """
            insert into registry_event(id, kind, model, body, created_at, published)
            values (3, 'alias.moved', 'moe', '{}', '2026-02-02', 1), (4, 'alias.moved', 'moe', '{}', @Time, 1)
            """, new { Time });
    }
}
