using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Repair;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

/// <summary>Results that the store has lost are made again where a run under way needs them, and nowhere else.</summary>
public sealed class LedgerRepairTests : IDisposable
{
    private readonly LedgerFixture _ledger = new();
    private readonly LedgerRepair _repair;

    public LedgerRepairTests() => _repair = new LedgerRepair(_ledger.Database, _ledger.Options);

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public async Task PutBack_LostResult_ReadersThatWereReadyWaitAndTheRunEnds()
    {
        var run = await StartAsync("a", "b: a", "c: b", "d");
        await FinishAsync("a");
        await FinishAsync("d");
        await _ledger.PrepareAsync();

        (await _repair.PutBackAsync(run, new Dictionary<string, string> { ["a"] = "the blob 12 is gone" }, default)).ShouldBe(["a"]);

        (await StatesAsync(run)).ShouldBe([StepState.Waiting, StepState.Waiting, StepState.Waiting, StepState.Succeeded]);
        (await _ledger.StepAsync(run, "a")).Message.ShouldContain("the blob 12 is gone");
        (await _ledger.ClaimAsync()).ShouldBeNull("the input of the ready step is gone");
        foreach (var step in new[] { "a", "b", "c" })
        {
            (await _ledger.PrepareAsync()).ShouldBe(1, step);
            await FinishAsync(step);
        }
        (await _ledger.RunAsync(run)).State.ShouldBe(RunState.Succeeded);
    }

    [Fact]
    public async Task PutBack_ReaderThatRuns_GoesOnAndWaitsOnlyWhenItMissesTheInput()
    {
        var run = await StartAsync("a", "b: a");
        await FinishAsync("a");
        await _ledger.PrepareAsync();
        var reader = (await _ledger.ClaimAsync())!;

        await _repair.PutBackAsync(run, new Dictionary<string, string> { ["a"] = "gone" }, default);

        (await StatesAsync(run)).ShouldBe([StepState.Waiting, StepState.Running]);
        (await _ledger.Steps.FinishAsync(LedgerFixture.Finished(reader), default)).ShouldBeTrue("its inputs were read before");
        await _ledger.PrepareAsync();
        await FinishAsync("a");
        (await _ledger.RunAsync(run)).State.ShouldBe(RunState.Succeeded);
    }

    [Fact]
    public async Task PutBack_RunThatHasEnded_StaysAsItIs()
    {
        var run = await StartAsync("a");
        await FinishAsync("a");

        (await _repair.PutBackAsync(run, new Dictionary<string, string> { ["a"] = "gone" }, default)).ShouldBeEmpty();

        (await _ledger.RunAsync(run)).State.ShouldBe(RunState.Succeeded);
    }

    [Fact]
    public async Task Release_LeaseLongOver_IsReadyWithoutAFailure()
    {
        var run = await StartAsync("a");
        await _ledger.ClaimAsync();
        (await _repair.ReadLostLeasesAsync(default)).ShouldBeEmpty();
        _ledger.Clock.Advance(_ledger.Options.Lease + LedgerRepair.ClockDifference + TimeSpan.FromSeconds(1));

        var lease = (await _repair.ReadLostLeasesAsync(default)).ShouldHaveSingleItem();
        (await _repair.ReleaseAsync(lease, default)).ShouldBeTrue();
        (await _repair.ReleaseAsync(lease, default)).ShouldBeFalse("it has happened");

        (lease.RunId, lease.Step, lease.Worker, lease.Attempt).ShouldBe((run, "a", "w1", 1));
        (await _ledger.StepAsync(run, "a")).State.ShouldBe(StepState.Ready);
        (await _ledger.CountAsync("select losses + failures from step")).ShouldBe(0);
    }

    [Fact]
    public async Task ReadResults_MoreThanOnePage_GivesEachStepThatEndedWellOnce()
    {
        await _ledger.AdvertiseAsync();
        await _ledger.SubmitAsync([.. Enumerable.Range(0, 1203).Select(i => $"s{i}")]);
        await _ledger.Database.WriteAsync(t => t.ExecuteAsync("update step set state = 'succeeded' where name <> 's7'"), default);

        var names = await _repair.ReadResultsAsync(default).Select(r => r.Step).ToListAsync();

        names.Count.ShouldBe(1202);
        names.Distinct().Count().ShouldBe(1202);
        names.ShouldNotContain("s7");
    }

    [Theory]
    [InlineData("a", "", "a")] // b waits for it
    [InlineData("a d", "", "a")] // c, the only reader of d, has ended
    [InlineData("a d", "d", "a d")] // but a version needs it
    [InlineData("c d", "", "c d")] // c is a last result, and reads d to be made again
    public void NeededResults_OfARun_AreThoseThatSomethingOpenReads(string lost, string wanted, string expected)
    {
        var states = new Dictionary<string, StepState>
        {
            ["a"] = StepState.Succeeded, ["b"] = StepState.Waiting, ["c"] = StepState.Succeeded, ["d"] = StepState.Cached,
        };

        var needed = NeededResults.Of(states, [("b", "a"), ("c", "d")], lost.Split(' ').ToHashSet(), wanted.Split(' ').ToHashSet());

        needed.Order().ShouldBe(expected.Split(' '));
    }

    private async Task<Guid> StartAsync(params string[] steps)
    {
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync(steps);
        await _ledger.PrepareAsync();
        return run;
    }

    private async Task FinishAsync(string expected)
    {
        var step = (await _ledger.ClaimAsync())!;
        step.Name.ShouldBe(expected);
        await _ledger.Steps.FinishAsync(LedgerFixture.Finished(step), default);
    }

    private async Task<StepState[]> StatesAsync(Guid run) => [.. (await _ledger.RunAsync(run)).Steps.Select(s => s.State)];
}
