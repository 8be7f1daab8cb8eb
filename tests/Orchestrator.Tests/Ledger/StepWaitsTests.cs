using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

public sealed class StepWaitsTests : IDisposable
{
    private readonly LedgerFixture _ledger = new(new OrchestratorOptions { Quotas = { ["noop"] = 3 } });

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public async Task Wait_NoWorkerOfTheKindOrTheDevice_SaysWhatIsThere()
    {
        var run = await _ledger.SubmitAsync("a");
        (await WaitAsync(run, "a")).ShouldBe(new StepWait(WaitReason.NoWorker, "No live worker offers 'noop': start one."));

        await _ledger.AdvertiseAsync(device: "cuda");

        var wait = await WaitAsync(run, "a");
        wait.Reason.ShouldBe(WaitReason.NoWorker);
        wait.Text.ShouldBe("No live worker offers 'noop' on cpu, only on cuda: start one, or change the step's 'device'.");
    }

    [Fact]
    public async Task Wait_NeedsNotDone_NamesThemWithTheirStates()
    {
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync("a", "b:", "c: a b");
        await _ledger.PrepareAsync();
        await _ledger.ClaimAsync();

        (await WaitAsync(run, "c")).ShouldBe(new StepWait(WaitReason.Upstream, "Needs 'a' (running), 'b' (ready)."));
        (await _ledger.StepAsync(run, "a")).Wait.ShouldBeNull();
    }

    [Fact]
    public async Task Wait_ScheduledNext_IsPreparingThenClaimable()
    {
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync("a");
        (await WaitAsync(run, "a")).Reason.ShouldBe(WaitReason.Preparing);

        await _ledger.PrepareAsync();

        (await WaitAsync(run, "a")).Reason.ShouldBe(WaitReason.Claim);
    }

    [Fact]
    public async Task Wait_StoreRefuses_GivesTheReasonAndWhenItIsTriedAgain()
    {
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync("a");
        var step = (await _ledger.Preparations.ListAsync(1, default)).Single();

        await _ledger.Preparations.HoldAsync(step, "The artifact store refuses access (403).", TimeSpan.FromSeconds(30), default);

        var wait = await WaitAsync(run, "a");
        wait.ShouldBe(new StepWait(
            WaitReason.Backoff, "The artifact store refuses access (403).", null, _ledger.Clock.GetUtcNow() + TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task Wait_AttemptFailed_SaysWhyAndWhenTheNextBegins()
    {
        var run = await ReadyAsync("a");
        var step = (await _ledger.ClaimAsync())!;
        await _ledger.Steps.FailAsync(LedgerFixture.Failed(step, FailureClass.Transient, "the disk was full."), null, default);

        var wait = await WaitAsync(run, "a");

        wait.Reason.ShouldBe(WaitReason.Backoff);
        wait.Text.ShouldBe("Attempt 1 ended: the disk was full. The next begins after a pause.");
        wait.Until.ShouldNotBeNull().ShouldBeGreaterThan(_ledger.Clock.GetUtcNow());
    }

    [Fact]
    public async Task Wait_WorkersHaveOtherCode_SaysThatItIsPreparedAgain()
    {
        var run = await ReadyAsync("a");
        _ledger.Clock.Advance(_ledger.Options.StageLifetime + TimeSpan.FromSeconds(1));
        await _ledger.AdvertiseAsync(version: "v2");

        (await WaitAsync(run, "a")).Reason.ShouldBe(WaitReason.OtherCode);
    }

    [Fact]
    public async Task Wait_QuotaUsedUp_NamesIt()
    {
        var run = await ReadyAsync("a", "b", "c", "d");
        for (var i = 0; i < 3; i++)
            (await _ledger.ClaimAsync()).ShouldNotBeNull();

        var wait = await WaitAsync(run, "d");

        (wait.Reason, wait.Text).ShouldBe((WaitReason.Quota, "The quota of 3 for 'noop' is used up: 3 running."));
        wait.Since.ShouldNotBeNull();
        (await _ledger.ClaimAsync("w2")).ShouldBeNull();
    }

    [Fact]
    public async Task Wait_EverySlotIsHeld_CountsTheStepsAhead()
    {
        var run = await ReadyAsync("a", "b", "c");
        (await _ledger.ClaimAsync("w1", slots: 1)).ShouldNotBeNull();

        (await WaitAsync(run, "b")).Text.ShouldBe("The only slot on cpu is taken; it is next.");
        (await WaitAsync(run, "c")).Text.ShouldBe("The only slot on cpu is taken; 1 step is ahead of it.");
        (await WaitAsync(run, "c")).Reason.ShouldBe(WaitReason.Slots);
    }

    [Fact]
    public async Task Wait_NoWorkerHasTheMemory_SaysHowMuchAndWhichIsNearest()
    {
        const long Gibibyte = 1L << 30;
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync("a", "b");
        await _ledger.PrepareAsync(memoryBytes: 24 * Gibibyte);
        await _ledger.ClaimAsync("w1", slots: 2, memoryBytes: 8 * Gibibyte);
        await _ledger.ClaimAsync("w2", slots: 2, memoryBytes: 16 * Gibibyte);

        var wait = await WaitAsync(run, "a");
        wait.Reason.ShouldBe(WaitReason.Memory);
        wait.Since.ShouldNotBeNull();
        wait.Text.ShouldBe("No live worker offers 'cpu' with 24.0 GiB, which is about what it needs: the largest is w2 with 16.0 GiB. "
            + "Start one with more (worker:memory-bytes, or memory in worker:devices).");

        (await _ledger.ClaimAsync("w3", slots: 2, memoryBytes: 30 * Gibibyte)).ShouldNotBeNull();

        (await WaitAsync(run, "b")).Text.ShouldBe(
            "No live worker has 24.0 GiB, which is about what it needs, free on 'cpu': the nearest is w3 with 6.0 GiB of 30.0 GiB.");
        await _ledger.ClaimAsync("w4", [LedgerFixture.Offer("other")], ["cpu"], [], slots: 1);
        (await WaitAsync(run, "b")).Reason.ShouldBe(WaitReason.Claim, "a worker that does not say how much it has may take it");
    }

    [Fact]
    public async Task Wait_SameWorkInAnotherRun_NamesThatRun()
    {
        await _ledger.AdvertiseAsync();
        var (first, second) = (await _ledger.SubmitAsync("a"), await _ledger.SubmitAsync("a"));
        foreach (var step in await _ledger.Preparations.ListAsync(10, default))
            await _ledger.Preparations.ReadyAsync(step, Digest.Of("same"u8), LedgerFixture.Offer("noop"), [], null, default);

        var wait = await WaitAsync(second, "a");

        wait.Reason.ShouldBe(WaitReason.SameWork);
        wait.Text.ShouldContain(first.ToString());
    }

    [Fact]
    public async Task Waits_OfAllRuns_AreCountedByReasonWithTheOldest()
    {
        await _ledger.AdvertiseAsync();
        var first = await _ledger.SubmitAsync("a", "b", "c: a");
        await _ledger.PrepareAsync();
        (await _ledger.ClaimAsync("w1", slots: 1)).ShouldNotBeNull();
        var since = _ledger.Clock.GetUtcNow();
        _ledger.Clock.Advance(TimeSpan.FromMinutes(2));
        await _ledger.AdvertiseAsync();
        await _ledger.SubmitAsync("d", "e");
        await _ledger.PrepareAsync();

        var waits = (await _ledger.Waits.OfAllAsync(default)).ShouldHaveSingleItem();

        (waits.Kind, waits.Device, waits.Reason, waits.Number).ShouldBe(("noop", "cpu", WaitReason.Slots, 3)); // 'c' needs another step
        (waits.RunId, waits.Step).ShouldBe((first, "b"));
        waits.Since.ShouldBe(since);
        waits.Text.ShouldStartWith("The only slot on cpu is taken");
    }

    [Fact]
    public async Task Waits_NoWorkerOfTheKind_CountFromTheEndOfWhatTheyNeeded()
    {
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync("a", "b: a");
        await _ledger.PrepareAsync();
        var step = (await _ledger.ClaimAsync())!;
        _ledger.Clock.Advance(TimeSpan.FromMinutes(10));
        await _ledger.Steps.FinishAsync(LedgerFixture.Finished(step), default);
        var ended = _ledger.Clock.GetUtcNow();
        _ledger.Clock.Advance(_ledger.Options.StageLifetime + TimeSpan.FromSeconds(1));

        var waits = (await _ledger.Waits.OfAllAsync(default)).ShouldHaveSingleItem();

        (waits.Reason, waits.RunId, waits.Step, waits.Number).ShouldBe((WaitReason.NoWorker, run, "b", 1));
        waits.Since.ShouldBe(ended);
    }

    [Fact]
    public async Task Workers_AreListedWithWhatTheyHoldAndSinceWhen()
    {
        await _ledger.AdvertiseAsync();
        await _ledger.SubmitAsync("a");
        await _ledger.PrepareAsync(memoryBytes: 100);
        var since = _ledger.Clock.GetUtcNow();
        await _ledger.ClaimAsync("w1", kind: "other", slots: 2, memoryBytes: 1000);
        _ledger.Clock.Advance(TimeSpan.FromSeconds(10));
        (await _ledger.ClaimAsync("w1", slots: 2, memoryBytes: 1000)).ShouldNotBeNull();

        var worker = (await _ledger.Workers.ListAsync(default)).ShouldHaveSingleItem();

        (worker.Since, worker.Seen).ShouldBe((since, since + TimeSpan.FromSeconds(10)));
        (worker.Held, worker.HeldBytes, worker.MemoryBytes).ShouldBe((1, 100, 1000));
    }

    private async Task<Guid> ReadyAsync(params string[] steps)
    {
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync(steps);
        await _ledger.PrepareAsync();
        return run;
    }

    private async Task<StepWait> WaitAsync(Guid run, string step) => (await _ledger.StepAsync(run, step)).Wait.ShouldNotBeNull();
}
