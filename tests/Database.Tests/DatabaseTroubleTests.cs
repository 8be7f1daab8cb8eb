using Microsoft.Data.Sqlite;

namespace Espalier.Database.Tests;

public sealed class DatabaseTroubleTests(TestDatabases databases) : IClassFixture<TestDatabases>
{
    // On a full disk, small writes succeed between those that fail.
    [Fact]
    public async Task Trouble_WritesThatSucceedInBetween_DoNotEndIt()
    {
        var time = new ManualTime();
        await using var database = await databases.CreateAsync(Engine.Sqlite, time);

        await FailAsync(database);
        var began = database.Trouble!.Since;
        for (var second = 0; second < 30; second += 5)
        {
            time.Advance(TimeSpan.FromSeconds(5));
            await database.WriteAsync(t => t.ExecuteAsync("update migration set applied_at = applied_at"), default);
            await FailAsync(database);
        }

        database.Trouble!.Since.ShouldBe(began);
        time.Advance(TimeSpan.FromSeconds(11));
        await database.WriteAsync(t => t.ExecuteAsync("update migration set applied_at = applied_at"), default);
        database.Trouble.ShouldBeNull();
    }

    private static async Task FailAsync(SqlDatabase database) => (await Should.ThrowAsync<SqliteException>(() => database.WriteAsync(async t =>
    {
        await t.ExecuteAsync("pragma max_page_count = 1"); // SQLite's own way to have a full disk
        await t.ExecuteAsync("create table too_much(bytes blob)");
        await t.ExecuteAsync("insert into too_much(bytes) values (zeroblob(10000000))");
    }, default))).SqliteErrorCode.ShouldBe(13);
}
