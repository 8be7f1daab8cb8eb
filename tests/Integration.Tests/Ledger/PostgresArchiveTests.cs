using System.Net.Http.Json;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Integration.Tests.Distributed;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;
using Espalier.TestKit.Services.Ledger;
using Npgsql;

namespace Espalier.Integration.Tests.Ledger;

/// <summary>The archive of runs on PostgreSQL, and in a process that is really killed.</summary>
[Collection(ServersCollection.Name)]
public sealed class PostgresArchiveTests(BrokerAndDatabase servers)
{
    [Fact]
    public async Task Archive_KilledAfterEveryBatch_EveryRunReadsTheSame()
    {
        using var ledger = new LedgerFixture(ArchiveChecks.Options, await servers.Database.NewDatabaseAsync());

        await ArchiveChecks.KilledAfterEveryBatchAsync(ledger);
    }

    [Fact]
    public async Task Archived_AskedToGoOn_SaysWhyNot()
    {
        using var ledger = new LedgerFixture(ArchiveChecks.Options, await servers.Database.NewDatabaseAsync());

        await ArchiveChecks.AskedToGoOnAsync(ledger);
    }

    [Fact]
    public async Task Archive_ItsTransactionIsOpen_ClaimsAndResultsOfOtherRunsGoOn()
    {
        using var ledger = new LedgerFixture(ArchiveChecks.Options, await servers.Database.NewDatabaseAsync());
        await ledger.AdvertiseAsync();
        var old = await ledger.SubmitAsync("a");
        await ledger.PrepareAsync();
        await ledger.Steps.FinishAsync(LedgerFixture.Finished((await ledger.ClaimAsync())!), default);
        ledger.Clock.Advance(TimeSpan.FromDays(2));
        await ledger.AdvertiseAsync();
        var run = await ledger.SubmitAsync("a", "b");
        await ledger.PrepareAsync();
        StepRow? claimed = null;
        // Before the archiver commits anything, another worker claims and finishes a step.
        ledger.Database.Committing = () =>
        {
            ledger.Database.Committing = null;
            claimed = Task.Run(async () =>
            {
                var step = (await ledger.ClaimAsync("other")).ShouldNotBeNull();
                (await ledger.Steps.FinishAsync(LedgerFixture.Finished(step), default)).ShouldBeTrue();
                return step;
            }).GetAwaiter().GetResult();
        };

        await ledger.NewArchiver().RunOnceAsync(default);

        claimed.ShouldNotBeNull().Run.ShouldBe(run);
        (await ledger.RunAsync(old)).Archived.ShouldNotBeNull();
        (await ledger.RunAsync(run)).Steps.Count(s => s.State == StepState.Succeeded).ShouldBe(1);
    }

    [Fact]
    public async Task Orchestrator_KilledWhileItArchives_GoesOnAndLosesNoRun()
    {
        const int Runs = 1500;
        await using var platform = await DistributedPlatform.StartAsync(servers);
        await platform.Orchestrator.KillAsync();
        await using var database = NpgsqlDataSource.Create(platform.Database);
        await using (var connection = await database.OpenConnectionAsync())
            await LedgerSeed.WriteAsync(connection, Runs, DateTimeOffset.UtcNow.AddDays(-2).ToUnixTimeMilliseconds());
        platform.Environment["ESPALIER__ORCHESTRATOR__RUN_HISTORY"] = "1.00:00:00";

        await platform.StartOrchestratorAsync();
        while (await CountAsync(database, "select count(*) from run_archive") < 50)
            await Task.Delay(20);
        await platform.Orchestrator.KillAsync();
        await platform.StartOrchestratorAsync();
        while (await CountAsync(database, "select count(*) from run") > 0)
            await Task.Delay(100);

        (await CountAsync(database, "select count(*) from run_archive")).ShouldBe(Runs);
        foreach (var table in new[] { "step", "step_need", "event" })
            (await CountAsync(database, $"select count(*) from {table}")).ShouldBe(0, table);
        (await CountAsync(database, "select count(*) from run_origin")).ShouldBe(Runs / 2);
        var run = await platform.Client.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{LedgerSeed.RunId(7)}");
        run.GetProperty("state").GetString().ShouldBe("failed");
        run.GetProperty("steps").GetArrayLength().ShouldBe(4);
        run.TryGetProperty("archived", out _).ShouldBeTrue();
        (await platform.Client.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{LedgerSeed.RunId(7)}/log")).GetArrayLength().ShouldBe(14);
        (await platform.Client.GetFromJsonAsync<JsonElement>("/api/v1/runs?archived=true&limit=10")).GetArrayLength().ShouldBe(10);
    }

    private static async Task<long> CountAsync(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
