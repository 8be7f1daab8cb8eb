using CsCheck;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Integration.Tests.Distributed;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Integration.Tests.Ledger;

/// <summary>The ledger's promises on a real PostgreSQL, where transactions do run at the same time.</summary>
[Collection(ServersCollection.Name)]
public sealed class PostgresLedgerTests(BrokerAndDatabase servers)
{
    [Fact]
    public Task History_RandomEvents_KeepsInvariantsAndEnds() => LedgerHistory.Generate.SampleAsync(async events =>
    {
        using var ledger = new LedgerFixture(new OrchestratorOptions { LossLimit = 100 }, await servers.Database.NewDatabaseAsync());
        await LedgerHistory.RunAsync(ledger, events);
    }, iter: 3);

    [Fact]
    public async Task ClaimAndFinish_ManyAtOnceWithACancel_EveryStepHasOneOwner()
    {
        using var ledger = new LedgerFixture(postgres: await servers.Database.NewDatabaseAsync());
        await ledger.AdvertiseAsync();
        var runs = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => ledger.SubmitAsync("a", "b", "c", "d", "e: a b c d")));
        await ledger.PrepareAsync();

        var claimed = await Task.WhenAll(Enumerable.Range(0, 12).Select(w => Task.Run(() => WorkAsync(ledger, $"w{w}"))).Append(
            Task.Run(async () =>
            {
                await ledger.Runs.CancelAsync(new CancelRun(runs[0], "test"), default);
                return new List<string>();
            })));

        var all = claimed.SelectMany(c => c).ToList();
        all.Distinct().Count().ShouldBe(all.Count);
        all.Count.ShouldBeInRange(28, 32);
        (await ledger.RunAsync(runs[0])).State.ShouldBeOneOf(RunState.Cancelled, RunState.Running, RunState.Queued, RunState.Succeeded);
        (await ledger.CountAsync("select count(*) from step where state = 'running'")).ShouldBe(0);
    }

    [Fact]
    public async Task Wait_EverySlotIsHeld_CountsTheStepsAheadOfEach()
    {
        using var ledger = new LedgerFixture(postgres: await servers.Database.NewDatabaseAsync());
        await ledger.AdvertiseAsync();
        await ledger.SubmitAsync("x");
        var run = await ledger.SubmitAsync("a", "b");
        await ledger.PrepareAsync();
        (await ledger.ClaimAsync("w1", slots: 1)).ShouldNotBeNull();

        (await ledger.StepAsync(run, "a")).Wait!.Text.ShouldBe("The only slot on cpu is taken; it is next.");
        (await ledger.StepAsync(run, "b")).Wait!.Text.ShouldBe("The only slot on cpu is taken; 1 step is ahead of it.");
    }

    [Fact]
    public async Task Submit_ManyAtOnce_CountsEachName()
    {
        using var ledger = new LedgerFixture(postgres: await servers.Database.NewDatabaseAsync());
        await NameChecks.ManyAtOnceAsync(ledger);
    }

    [Fact]
    public async Task Archive_KeepsNames_AndGivesNoNumberTwice()
    {
        using var ledger = new LedgerFixture(new OrchestratorOptions { RunHistory = TimeSpan.Zero }, await servers.Database.NewDatabaseAsync());
        await NameChecks.ArchivedAsync(ledger);
    }

    [Fact]
    public async Task List_InEveryOrder_PagesWithoutGapsOrRepeats()
    {
        using var ledger = new LedgerFixture(postgres: await servers.Database.NewDatabaseAsync());
        await OrderChecks.PagesAsync(ledger);
    }

    public static TheoryData<int> OldVersions => OldLedger.Versions;

    [Theory]
    [MemberData(nameof(OldVersions))]
    public async Task Migrate_LedgerOfAnOlderVersion_KeepsEveryRow(int version)
    {
        await using var database = new LedgerDatabase(new PostgresDialect(await servers.Database.NewDatabaseAsync()), TimeProvider.System);

        await OldLedger.MigrateAsync(database, version);
    }

    [Fact]
    public async Task Migrate_TwoAtOnce_BothFindTheSchema()
    {
        var connection = await servers.Database.NewDatabaseAsync();
        await using var one = new LedgerDatabase(new PostgresDialect(connection), TimeProvider.System);
        await using var two = new LedgerDatabase(new PostgresDialect(connection), TimeProvider.System);

        await Task.WhenAll(one.MigrateAsync(default), two.MigrateAsync(default));

        (await one.ReadAsync(c => Dapper.SqlMapper.ExecuteScalarAsync<int>(c, "select count(*) from schema_version"), default))
            .ShouldBe(OldLedger.Versions.Count + 1);
    }

    private static async Task<List<string>> WorkAsync(LedgerFixture ledger, string worker)
    {
        var done = new List<string>();
        while (await ledger.ClaimAsync(worker) is { } step)
        {
            done.Add($"{step.RunId}/{step.Name}");
            await ledger.Steps.FinishAsync(LedgerFixture.Finished(step), default);
        }
        return done;
    }
}
