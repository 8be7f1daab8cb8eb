using System.Data.Common;
using Dapper;

namespace Espalier.Database.Tests;

public sealed class MigratorTests(TestDatabases databases) : IClassFixture<TestDatabases>
{
    [Theory]
    [InlineData(Engine.Sqlite)]
    [InlineData(Engine.Postgres)]
    public async Task Migrate_Twice_RunsEveryScriptOnce(Engine engine)
    {
        await using var database = await databases.CreateAsync(engine);

        await Migrator.MigrateAsync(database, TestDatabases.Migrations, default);

        (await database.CountAsync("select count(*) from migration")).ShouldBe(2);
        (await database.CountAsync("select value from counter where name = 'a;b'")).ShouldBe(1);
    }

    [Theory]
    [InlineData(Engine.Sqlite)]
    [InlineData(Engine.Postgres)]
    public async Task Migrate_ManyProcessesAtOnceOnAnEmptyDatabase_OneMigrates(Engine engine)
    {
        var connection = await databases.NewAsync(engine);
        var processes = Enumerable.Range(0, 6).Select(_ => TestDatabases.Open(engine, connection)).ToList();

        await Task.WhenAll(processes.Select(p => Task.Run(() => Migrator.MigrateAsync(p, TestDatabases.Migrations, default))));

        (await processes[0].CountAsync("select count(*) from migration")).ShouldBe(2);
        (await processes[0].CountAsync("select count(*) from counter")).ShouldBe(1);
        foreach (var process in processes)
            await process.DisposeAsync();
    }

    [Theory]
    [InlineData(Engine.Sqlite)]
    [InlineData(Engine.Postgres)]
    public async Task IsCurrent_BeforeAndAfterTheLastScript_SaysSoAndChangesNothing(Engine engine)
    {
        await using var database = TestDatabases.Open(engine, await databases.NewAsync(engine));
        (await Migrator.IsCurrentAsync(database, TestDatabases.Migrations, default)).ShouldBeFalse();
        await Should.ThrowAsync<DbException>(() => database.CountAsync("select count(*) from migration"));
        await Migrator.MigrateAsync(database, TestDatabases.Migrations, default, upTo: 1);
        (await Migrator.IsCurrentAsync(database, TestDatabases.Migrations, default)).ShouldBeFalse();

        await Migrator.MigrateAsync(database, TestDatabases.Migrations, default);

        (await Migrator.IsCurrentAsync(database, TestDatabases.Migrations, default)).ShouldBeTrue();
    }

    [Theory]
    [InlineData(Engine.Sqlite)]
    [InlineData(Engine.Postgres)]
    public async Task Migrate_DatabaseOfANewerProgram_IsRefusedByName(Engine engine)
    {
        await using var database = await databases.CreateAsync(engine);
        await database.WriteAsync(t => t.ExecuteAsync("insert into migration (version, script, applied_at) values (9, '009-later.sql', 0)"), default);

        var error = await Should.ThrowAsync<InvalidOperationException>(() => Migrator.MigrateAsync(database, TestDatabases.Migrations, default));

        error.Message.ShouldContain("'009-later.sql'");
        error.Message.ShouldContain("newer program");
    }

    [Theory]
    [InlineData(Engine.Sqlite)]
    [InlineData(Engine.Postgres)]
    public async Task Migrate_ScriptFailsHalfway_LeavesTheDatabaseAsItWas(Engine engine)
    {
        await using var database = TestDatabases.Open(engine, await databases.NewAsync(engine));
        await Migrator.MigrateAsync(database, TestDatabases.Migrations, default, upTo: 1);
        await database.WriteAsync(t => t.ExecuteAsync("create table counter (name text primary key)"), default);

        var error = await Should.ThrowAsync<InvalidOperationException>(() => Migrator.MigrateAsync(database, TestDatabases.Migrations, default));

        error.Message.ShouldContain("'002-counter.sql'");
        (await database.CountAsync("select count(*) from migration")).ShouldBe(1);
        await database.WriteAsync(t => t.ExecuteAsync("drop table counter"), default);
        await Migrator.MigrateAsync(database, TestDatabases.Migrations, default);
        (await database.CountAsync("select count(*) from counter")).ShouldBe(1);
    }

    [Theory]
    [InlineData(Engine.Sqlite)]
    [InlineData(Engine.Postgres)]
    public async Task Migrate_JournalOfTheOldMigrator_IsTakenOver(Engine engine)
    {
        await using var database = TestDatabases.Open(engine, await databases.NewAsync(engine));
        await database.WriteAsync(async t =>
        {
            await t.ExecuteAsync(TestDatabases.Journal.Create);
            await t.ExecuteAsync("create table outbox (id bigint, kept text)");
            await t.ExecuteAsync("insert into outbox (id, kept) values (1, 'kept')");
            await t.ExecuteAsync("insert into migration (version, script, applied_at) values (1, '001-outbox.sql', 5)");
        }, default);

        await Migrator.MigrateAsync(database, TestDatabases.Migrations, default);

        (await database.ReadAsync(c => c.ExecuteScalarAsync<string>("select kept from outbox"), default)).ShouldBe("kept");
        (await database.CountAsync("select max(version) from migration")).ShouldBe(2);
    }
}
