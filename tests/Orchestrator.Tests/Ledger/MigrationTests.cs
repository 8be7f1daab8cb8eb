using System.Text.Json;
using Dapper;
using Espalier.Database;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Triggers;
using Espalier.Pipelines.Planning;
using Espalier.TestKit.Services.Ledger;
using Microsoft.Data.Sqlite;

namespace Espalier.Orchestrator.Tests.Ledger;

public sealed class MigrationTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("migration-");

    public static TheoryData<int> Versions => OldLedger.Versions;

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Migrate_LedgerOfAnOlderVersion_KeepsEveryRow(int version)
    {
        using var database = new LedgerDatabase(new SqliteDialect($"Data Source={Path.Combine(_folder.FullName, "ledger.db")}"), TimeProvider.System);

        await OldLedger.MigrateAsync(database, version);
    }

    [Fact]
    public async Task Migrate_TriggersFromBeforeTheyHadNames_KeepTheirNamesStateAndWhatTheyHaveSeen()
    {
        using var database = new LedgerDatabase(new SqliteDialect($"Data Source={Path.Combine(_folder.FullName, "ledger.db")}"), TimeProvider.System);
        await database.MigrateAsync(default, 10);
        const string Old = """{"path":"/data","pattern":"*","settle":"00:00:10","params":{},"priority":0,"max-depth":8,"pause-after":5}""";
        await database.WriteAsync(async transaction =>
        {
            await transaction.ExecuteAsync("insert into pipeline (name, version) values ('nightly', 1)");
            await transaction.ExecuteAsync(
                "insert into pipeline_version (name, version, file_name, yaml, owner, created_at) values ('nightly', 1, 'n.yaml', 'name: nightly', 'ada', 1)");
            await transaction.ExecuteAsync(
                """
                insert into pipeline_trigger (name, pipeline, kind, settings, is_enabled, paused, failures, pause_after, after_event, created_at)
                values ('nightly.watch', 'nightly', 'watch', @Old, 1, '', 3, 5, 0, 1)
                """, new { Old });
            await transaction.ExecuteAsync("insert into watched_file (trigger_name, path, size, modified) values ('nightly.watch', '/data/a', 3, 4)");
        }, default);

        await database.MigrateAsync(default);
        var settings = JsonSerializer.Deserialize<JsonElement>(Old);
        var named = JsonSerializer.Deserialize<JsonElement>(Old.Replace("{\"path\"", "{\"name\":\"more\",\"path\"", StringComparison.Ordinal));
        await new RegisteredPipelines(database, new()).AddAsync(
            new PipelineRow { Name = "nightly", FileName = "n.yaml", Yaml = "name: nightly # two now", Owner = "ada" },
            [new PlannedTrigger("watch", named), new PlannedTrigger("watch", settings)], false, default);

        var triggers = await new TriggerLedger(database, new()).ListAsync(default);
        triggers.Select(t => (t.Name, t.Failures, t.Trouble)).ShouldBe([("nightly.watch", 3, ""), ("nightly.watch.more", 0, "")]);
        (await database.ReadAsync(c => c.ExecuteScalarAsync<string>("select path from watched_file where etag = ''"), default)).ShouldBe("/data/a");
    }
}
