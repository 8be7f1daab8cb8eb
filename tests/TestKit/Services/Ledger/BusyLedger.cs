using System.Data.Common;
using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Triggers;

namespace Espalier.TestKit.Services.Ledger;

/// <summary>A ledger with very many ended runs, and some that workers are at: what the plans of its statements are looked at in.</summary>
internal sealed class BusyLedger : IDisposable
{
    /// <summary>Ended runs.</summary>
    public const int Ended = 10_000;

    /// <summary>Runs of three steps that have not ended: half of them run, and two steps of each of the others can be claimed.</summary>
    public const int Open = 60;

    /// <summary>Everything that is asked for often, by name.</summary>
    public static readonly IReadOnlyDictionary<string, Func<BusyLedger, Task>> Requests = new Dictionary<string, Func<BusyLedger, Task>>
    {
        ["claim by a worker of one kind"] = async l => (await l.Fixture.ClaimAsync($"w{l._worker++}")).ShouldNotBeNull(),
        ["claim by a worker of two kinds"] = async l =>
            (await l.Fixture.ClaimAsync($"w{l._worker++}", [LedgerFixture.Offer("noop"), LedgerFixture.Offer("other")], ["cpu"], [])).ShouldNotBeNull(),
        ["claim that finds nothing"] = async l => (await l.Fixture.ClaimAsync($"w{l._worker++}", [LedgerFixture.Offer("none")], ["cpu"], [])).ShouldBeNull(),
        ["heartbeat"] = async l => (await l.Fixture.Steps.RenewAsync(LedgerFixture.Beat(l._claimed[0]), default)).ShouldBe(LeaseVerdict.Continue),
        ["finish"] = async l => (await l.Fixture.Steps.FinishAsync(LedgerFixture.Finished(l._claimed[1]), default)).ShouldBeTrue(),
        ["failure"] = l => l.Fixture.Steps.FailAsync(LedgerFixture.Failed(l._claimed[2], FailureClass.Transient), null, default),
        ["steps to prepare"] = l => l.Fixture.PrepareAsync(),
        ["sweep"] = l => l.Fixture.Sweep.RunAsync(default),
        ["cancel"] = l => l.Fixture.Runs.CancelAsync(new CancelRun(l._open[3], "test"), default),
        ["submit"] = l => l.Fixture.SubmitAsync("a", "b: a"),
        ["run that is ended"] = async l => (await l.Fixture.RunAsync(LedgerSeed.RunId(77))).Steps.Count.ShouldBe(4),
        ["run under way"] = async l => (await l.Fixture.RunAsync(l._open[5])).Steps.ShouldContain(s => s.Wait != null),
        ["log of a run"] = async l => (await l.Fixture.Reader.ReadLogAsync(LedgerSeed.RunId(77), 0, 100, default)).Count.ShouldBe(14),
        ["state of a run"] = async l => (await l.Fixture.Reader.FindStateAsync(LedgerSeed.RunId(77), default)).ShouldNotBeNull(),
        ["list"] = l => l.ListAsync(new RunQuery(), 100),
        ["list, deep"] = l => l.ListAsync(new RunQuery { Before = LedgerSeed.RunId(500) }, 100),
        ["list of a state"] = l => l.ListAsync(new RunQuery { State = RunState.Failed }, 100),
        ["list of a state, deep"] = l => l.ListAsync(new RunQuery { State = RunState.Cancelled, Before = LedgerSeed.RunId(9000) }, 100),
        ["list of a state under way"] = l => l.ListAsync(new RunQuery { State = RunState.Running, Limit = 20 }, 20),
        ["list of a pipeline"] = l => l.ListAsync(new RunQuery { Name = LedgerSeed.Name(3), Before = LedgerSeed.RunId(5000) }, 100),
        ["list of a pipeline and a state"] = l => l.ListAsync(new RunQuery { Name = LedgerSeed.Name(7), State = RunState.Failed }, 100),
        ["list of ids"] = l => l.ListAsync(new RunQuery { IdPrefix = LedgerSeed.RunId(77).ToString("N")[..31] }, 16),
        ["firings that are due"] = async l => (await l.Fixture.Database.ReadAsync(
            c => c.QueryAsync(FiringStarter.Due, new { l.Fixture.Database.Now, Batch = 64 }), default)).ShouldHaveSingleItem(),
        ["workers"] = l => l.Fixture.Workers.ListAsync(default),
        ["steps by kind"] = l => new StatusReader(l.Fixture.Database, l.Fixture.Options).StepsAsync(default),
        ["demand"] = l => new StatusReader(l.Fixture.Database, l.Fixture.Options).DemandAsync(default),
        ["leases"] = l => new StatusReader(l.Fixture.Database, l.Fixture.Options).LeasesAsync(default),
    };

    private readonly List<Guid> _open = [];
    private readonly List<StepRow> _claimed = [];
    private int _worker;

    private BusyLedger(LedgerFixture fixture) => Fixture = fixture;

    public LedgerFixture Fixture { get; }

    public static async Task<BusyLedger> StartAsync(string? postgres = null, int ended = Ended)
    {
        var ledger = new BusyLedger(new LedgerFixture(new OrchestratorOptions(), postgres));
        await using (var connection = await ledger.Fixture.Database.OpenAsync(default))
        {
            await LedgerSeed.WriteAsync(connection, ended, ledger.Fixture.Database.Now);
            await connection.ExecuteAsync(
                """
                insert into trigger_firing (trigger_name, event_id, state, concurrency_group, is_queued, at)
                values ('seeded-00.model.registered', 99999, 'waiting', 'seeded', 1, 0)
                """);
            if (postgres is not null)
                await VacuumAsync(connection); // what the server does by itself after a while
        }
        await ledger.Fixture.AdvertiseAsync();
        for (var i = 0; i < Open; i++)
            ledger._open.Add(await ledger.Fixture.SubmitAsync("a", "b", "c: a b"));
        await ledger.Fixture.PrepareAsync();
        for (var i = 0; i < Open; i++)
            ledger._claimed.Add((await ledger.Fixture.ClaimAsync($"busy-{i}", slots: 1))!);
        return ledger;
    }

    public void Dispose() => Fixture.Dispose();

    private async Task ListAsync(RunQuery query, int expected) => (await Fixture.Reader.ListAsync(query, default)).Count.ShouldBe(expected);

    private static async Task VacuumAsync(DbConnection connection)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = "vacuum analyze";
        await command.ExecuteNonQueryAsync();
    }
}
