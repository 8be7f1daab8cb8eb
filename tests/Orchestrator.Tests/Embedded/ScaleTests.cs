using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Services.Embedded;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Embedded;

/// <summary>
/// Many steps and many runs at once, small enough for every build; <c>tests/Benchmarks/Steps</c> has the full sizes. Alone, since the
/// memory of the process is measured.
/// </summary>
[Collection(nameof(Alone))]
public sealed class ScaleTests
{
    [Fact]
    public async Task Run_ManySteps_EndsWithFlatMemory()
    {
        await using var platform = await EmbeddedPlatform.StartAsync(worker: w => w.Slots = 4);
        await platform.EndAsync(await platform.SubmitAsync(Wide("warm", 40)));
        var before = Collected();

        var run = await platform.EndAsync(await platform.SubmitAsync(Wide("wide", 160)));

        run.Steps.Count(s => s.State == StepState.Succeeded).ShouldBe(160);
        run.Steps.ShouldAllBe(s => s.Attempts == 1);
        (Collected() - before).ShouldBeLessThan(8L << 20, "the orchestrator keeps nothing of a run that ended");
    }

    [Fact]
    public async Task Runs_ManyAtOnce_AllEnd()
    {
        await using var platform = await EmbeddedPlatform.StartAsync(worker: w => w.Slots = 4);

        var runs = await Task.WhenAll(Enumerable.Range(0, 30).Select(i => platform.SubmitAsync(Wide($"run{i}", 3))));

        foreach (var run in runs)
            (await platform.EndAsync(run)).State.ShouldBe(RunState.Succeeded);
    }

    [Fact]
    public async Task Ledger_TenThousandEndedRuns_TwentyWorkersAndReadersNeedNoMoreMemoryThanWithFew()
    {
        var few = await AllocatedAsync(500);

        var many = await AllocatedAsync(BusyLedger.Ended);

        many.PerRound.ShouldBeLessThan(few.PerRound * 1.5, "what a request allocates does not depend on how many runs have ended");
        many.Kept.ShouldBeLessThan(few.Kept + (4L << 20), "nor what stays of it");
    }

    /// <summary>Bytes that a round of claims, results, pages and lists allocates, and bytes that stay after many.</summary>
    private static async Task<(double PerRound, long Kept)> AllocatedAsync(int ended)
    {
        const int Rounds = 40;
        using var ledger = await BusyLedger.StartAsync(ended: ended);
        await RoundAsync(ledger, ended, 0);
        var (kept, allocated) = (Collected(), GC.GetTotalAllocatedBytes(precise: true));
        for (var i = 1; i <= Rounds; i++)
            await RoundAsync(ledger, ended, i);
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        return (allocated / (double)Rounds, Collected() - kept);
    }

    private static async Task RoundAsync(BusyLedger busy, int ended, int round)
    {
        var ledger = busy.Fixture;
        var run = await ledger.SubmitAsync("a", "b");
        await ledger.PrepareAsync();
        var worker = $"worker-{round % 20}";
        await ledger.Steps.FinishAsync(LedgerFixture.Finished((await ledger.ClaimAsync(worker)).ShouldNotBeNull()), default);
        await ledger.Steps.FinishAsync(LedgerFixture.Finished((await ledger.ClaimAsync(worker)).ShouldNotBeNull()), default);
        await ledger.RunAsync(run);
        await ledger.RunAsync(LedgerSeed.RunId(round));
        await ledger.Reader.ListAsync(50, default);
        (await ledger.Reader.ListAsync(new RunQuery { Limit = 50, Before = LedgerSeed.RunId(ended / 2) }, default)).Count.ShouldBe(50);
        await ledger.Sweep.RunAsync(default);
    }

    [CollectionDefinition(nameof(Alone), DisableParallelization = true)]
    public sealed class Alone;

    private static string Wide(string text, int steps) =>
        $"name: wide\nstages:\n{string.Join('\n', Enumerable.Range(0, steps).Select(i => $"  s{i}: {{ uses: noop, with: {{ text: {text}-{i} }} }}"))}\n";

    private static long Collected()
    {
        GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}
