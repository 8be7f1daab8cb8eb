using CsCheck;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;

namespace Espalier.TestKit.Services.Ledger;

/// <summary>One event of a history. What the two numbers choose (a step, a worker, a failure, seconds) depends on the ledger's state.</summary>
internal sealed record LedgerEvent(int Kind, int Which, int How);

/// <summary>A history of events, with duplicates and stale fences, that the ledger has to survive.</summary>
internal static class LedgerHistory
{
    private const int Slots = 2;

    public static Gen<LedgerEvent[]> Generate { get; } =
        Gen.Select(Gen.Int[0, 10], Gen.Int[0, 999], Gen.Int[0, 999], (kind, which, how) => new LedgerEvent(kind, which, how)).Array[1, 200];

    public static async Task RunAsync(LedgerFixture ledger, IEnumerable<LedgerEvent> events)
    {
        await ledger.AdvertiseAsync();
        var run = await ledger.SubmitAsync("a", "b: a", "c: a", "d: b c", "e", "f: e d");
        var seen = new List<StepRow>();
        var fences = new Dictionary<string, int>();
        var lost = new HashSet<string>();

        foreach (var item in events)
        {
            await HappenAsync(ledger, item, run, seen, fences, lost);
            await CheckAsync(ledger, run, lost);
        }
        await ledger.Runs.ResumeAsync(run, default);
        await DrainAsync(ledger, run);

        var ended = await ledger.RunAsync(run);
        ended.State.ShouldBeOneOf(RunState.Succeeded, RunState.Cancelled, RunState.Failed);
        ended.Steps.ShouldAllBe(s => s.State != StepState.Running && s.State != StepState.Ready && s.State != StepState.Waiting);
    }

    private static async Task HappenAsync(
        LedgerFixture ledger, LedgerEvent item, Guid run, List<StepRow> seen, Dictionary<string, int> fences, HashSet<string> lost)
    {
        var any = seen.Count > 0 ? seen[item.Which % seen.Count] : null;
        switch (item.Kind)
        {
            case 0 or 1:
                await ledger.PrepareAsync();
                break;
            case 2 or 3:
                if (await ledger.ClaimAsync($"w{item.Which % 3}", slots: Slots) is { } claimed)
                {
                    claimed.Attempt.ShouldBeGreaterThan(fences.GetValueOrDefault(claimed.Name), "a fence is used once");
                    fences[claimed.Name] = claimed.Attempt;
                    seen.Add(claimed);
                }
                break;
            case 4 when any is not null:
                await ledger.Steps.FinishAsync(LedgerFixture.Finished(any), default);
                break;
            case 5 when any is not null:
                FailureClass?[] classes = [FailureClass.Transient, FailureClass.Resource, FailureClass.Poison, FailureClass.User, null];
                await ledger.Steps.FailAsync(LedgerFixture.Failed(any, classes[item.How % classes.Length]), null, default);
                break;
            case 10 when any is not null:
                var makers = (await ledger.StepAsync(run, any.Name)).Needs.Where((_, i) => (item.How >> i) % 2 == 0).ToList();
                lost.UnionWith(makers);
                await ledger.Steps.FailAsync(
                    LedgerFixture.Failed(any, FailureClass.User), new InputLoss(Digest.Of([(byte)(item.How % 3)]), makers, item.How % 2 == 0), default);
                break;
            case 6 when any is not null:
                await ledger.Steps.RenewAsync(LedgerFixture.Beat(any), default);
                break;
            case 7:
                ledger.Clock.Advance(TimeSpan.FromSeconds(item.How % 20));
                await ledger.AdvertiseAsync();
                await ledger.Sweep.RunAsync(default);
                break;
            case 8 when item.How % 5 == 0:
                await ledger.Runs.CancelAsync(new CancelRun(run, "test"), default);
                break;
            case 9:
                await ledger.Runs.ResumeAsync(run, default);
                break;
        }
    }

    private static async Task CheckAsync(LedgerFixture ledger, Guid run, HashSet<string> lost)
    {
        var view = await ledger.RunAsync(run);
        var open = view.Steps.Count(s => s.State is StepState.Waiting or StepState.Ready or StepState.Running);
        (await ledger.CountAsync("select open_steps from run")).ShouldBe(open);
        (view.State is RunState.Queued or RunState.Running).ShouldBe(open > 0);
        var states = view.Steps.ToDictionary(s => s.Name, s => s.State);
        foreach (var step in view.Steps.Where(s => s.State is StepState.Ready or StepState.Running or StepState.Succeeded))
            step.Needs.ShouldAllBe(n => states[n] == StepState.Succeeded || lost.Contains(n));
        (await ledger.CountAsync(
            "select count(*) from step s where state = 'waiting' and waiting_on <> (select count(*) from step_need n join step d on "
                + "d.run_id = n.run_id and d.name = n.needs where n.name = s.name and d.state not in ('succeeded', 'cached'))"))
            .ShouldBe(0);
        var running = view.Steps.Where(s => s.State == StepState.Running).ToList();
        foreach (var worker in await ledger.Workers.ListAsync(default))
        {
            worker.Slots.ShouldBe(Slots);
            worker.Held.ShouldBe(running.Count(s => s.Worker == worker.Name));
            worker.Held.ShouldBeInRange(0, Slots);
            (worker.Free + worker.Held).ShouldBe(worker.Slots);
        }
    }

    /// <summary>Healthy workers finish everything that is left.</summary>
    private static async Task DrainAsync(LedgerFixture ledger, Guid run)
    {
        for (var i = 0; i < 200 && (await ledger.RunAsync(run)).State is RunState.Queued or RunState.Running; i++)
        {
            ledger.Clock.Advance(TimeSpan.FromMinutes(1));
            await ledger.AdvertiseAsync();
            await ledger.Sweep.RunAsync(default);
            await ledger.PrepareAsync();
            while (await ledger.ClaimAsync() is { } step)
                await ledger.Steps.FinishAsync(LedgerFixture.Finished(step), default);
        }
    }
}
