using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Planning;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

public sealed class StepLedgerTests : IDisposable
{
    private readonly LedgerFixture _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public async Task Claim_ReadyStep_WritesAttemptAndLeaseBeforeItAnswers()
    {
        var run = await StartAsync("a");

        var step = (await _ledger.ClaimAsync())!;

        step.Attempt.ShouldBe(1);
        (await _ledger.StepAsync(run, "a")).State.ShouldBe(StepState.Running);
        (await _ledger.RunAsync(run)).State.ShouldBe(RunState.Running);
        (await _ledger.ClaimAsync("w2")).ShouldBeNull();
    }

    [Fact]
    public async Task Claim_OtherVersionOfTheCode_GetsNothing()
    {
        await StartAsync("a");

        (await _ledger.ClaimAsync("w1", [StageCatalog.Offer("noop", "v2", "test")], ["cpu"], [])).ShouldBeNull();
        (await _ledger.ClaimAsync("w1", [LedgerFixture.Offer("noop")], ["cuda"], [])).ShouldBeNull();
        (await _ledger.ClaimAsync()).ShouldNotBeNull();
    }

    [Fact]
    public async Task Claim_AnswerWasLost_TheSameAttemptIsAnsweredAgain()
    {
        await StartAsync("a", "b");
        var lost = (await _ledger.ClaimAsync("w1", [LedgerFixture.Offer("noop")], ["cpu"], []))!;

        var again = (await _ledger.ClaimAsync("w1", [LedgerFixture.Offer("noop")], ["cpu"], []))!;
        var next = (await _ledger.ClaimAsync("w1", [LedgerFixture.Offer("noop")], ["cpu"], [new HeldAttempt(lost.Run, lost.Name, lost.Attempt)]))!;

        (again.Name, again.Attempt).ShouldBe((lost.Name, lost.Attempt));
        next.Name.ShouldNotBe(lost.Name);
    }

    [Theory]
    [InlineData(60, 1, 3600, 4500)] // as asked for, and up to a quarter more
    [InlineData(60, 3, 3600, 4500)]
    [InlineData(2, 1, 120, 150)]
    [InlineData(2, 2, 240, 300)]
    [InlineData(2, 5, 300, 375)] // doubling ends at five minutes
    public async Task Backoff_OfAPipeline_IsHonoured(int minutes, int failures, int atLeastSeconds, int atMostSeconds)
    {
        await StartAsync("a");
        var step = (await _ledger.ClaimAsync())!;

        var wait = AttemptEndings.Backoff(new RetryPolicy { Backoff = TimeSpan.FromMinutes(minutes) }, step, failures);

        wait.TotalSeconds.ShouldBeInRange(atLeastSeconds, atMostSeconds);
    }

    [Fact]
    public async Task Backoff_OfAnHour_IsNotMendedAwayByTheSweep()
    {
        await StartAsync("a");
        var step = (await _ledger.ClaimAsync())!;
        await _ledger.Steps.FailAsync(LedgerFixture.Failed(step, FailureClass.Transient), null, default);
        await _ledger.CountAsync($"update step set not_before = {_ledger.Clock.GetUtcNow().ToUnixTimeMilliseconds() + 4_500_000} returning 1");

        await _ledger.Sweep.RunAsync(default);

        (await _ledger.ClaimAsync()).ShouldBeNull();
    }

    [Fact]
    public async Task Fail_MessageWithNul_IsKeptWithoutIt()
    {
        var run = await StartAsync("a");
        var step = (await _ledger.ClaimAsync())!;

        (await _ledger.Steps.FailAsync(LedgerFixture.Failed(step, FailureClass.User, "it broke at \0 here"), null, default)).ShouldBeTrue();

        (await _ledger.StepAsync(run, "a")).Message.ShouldBe("it broke at \uFFFD here");
    }

    [Fact]
    public async Task Finish_LastStep_EndsTheRunOnce()
    {
        var run = await StartAsync("a", "b: a");
        var a = (await _ledger.ClaimAsync())!;
        (await _ledger.Steps.FinishAsync(LedgerFixture.Finished(a), default)).ShouldBeTrue();
        await _ledger.PrepareAsync();
        var b = (await _ledger.ClaimAsync())!;

        (await _ledger.Steps.FinishAsync(LedgerFixture.Finished(b), default)).ShouldBeTrue();
        (await _ledger.Steps.FinishAsync(LedgerFixture.Finished(b), default)).ShouldBeTrue();

        (await _ledger.RunAsync(run)).State.ShouldBe(RunState.Succeeded);
        var log = await _ledger.Reader.ReadLogAsync(run, 0, 100, default);
        log.Count(l => l.Type == nameof(RunStateChanged) && l.Body.Contains("succeeded")).ShouldBe(1);
        (await _ledger.StepAsync(run, "b")).Metrics["loss"].ShouldBe(1);
    }

    [Fact]
    public async Task Finish_OldFence_ChangesNothing()
    {
        var run = await StartAsync("a");
        var first = (await _ledger.ClaimAsync())!;
        _ledger.Clock.Advance(_ledger.Options.Lease + TimeSpan.FromSeconds(1));
        await _ledger.AdvertiseAsync();
        await _ledger.Sweep.RunAsync(default);
        var second = (await _ledger.ClaimAsync("w2"))!;

        second.Attempt.ShouldBe(2);
        (await _ledger.Steps.FinishAsync(LedgerFixture.Finished(first), default)).ShouldBeFalse();
        (await _ledger.Steps.FailAsync(LedgerFixture.Failed(first, FailureClass.User), null, default)).ShouldBeFalse();
        (await _ledger.Steps.RenewAsync(LedgerFixture.Beat(first), default)).ShouldBe(LeaseVerdict.LeaseLost);
        (await _ledger.StepAsync(run, "a")).State.ShouldBe(StepState.Running);
        (await _ledger.Steps.FinishAsync(LedgerFixture.Finished(second), default)).ShouldBeTrue();
    }

    [Fact]
    public async Task Renew_HeldLease_OutlivesTheFirstOne()
    {
        await StartAsync("a");
        var step = (await _ledger.ClaimAsync())!;
        for (var i = 0; i < 4; i++)
        {
            _ledger.Clock.Advance(_ledger.Options.Lease / 2);
            (await _ledger.Steps.RenewAsync(LedgerFixture.Beat(step), default)).ShouldBe(LeaseVerdict.Continue);
        }

        (await _ledger.Sweep.RunAsync(default)).ShouldBe(0);
    }

    [Fact]
    public async Task Fail_TransientThreeTimes_BacksOffThenGivesUpAndSkipsDependents()
    {
        var run = await StartAsync("a", "b: a", "c: b");
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            var step = (await _ledger.ClaimAsync())!;
            step.Attempt.ShouldBe(attempt);
            await _ledger.Steps.FailAsync(LedgerFixture.Failed(step, FailureClass.Transient), null, default);
            (await _ledger.ClaimAsync()).ShouldBeNull("the step waits before it is tried again");
            _ledger.Clock.Advance(TimeSpan.FromSeconds(25));
        }

        var ended = await _ledger.RunAsync(run);
        ended.State.ShouldBe(RunState.Failed);
        ended.Steps.Select(s => s.State).ShouldBe([StepState.Failed, StepState.Skipped, StepState.Skipped]);
        ended.Steps[0].Message.ShouldBe("Given up after 3 attempts. Last: it broke");
    }

    [Fact]
    public async Task Fail_UserError_IsNeverTriedAgain()
    {
        var run = await StartAsync("a");

        await _ledger.Steps.FailAsync(LedgerFixture.Failed((await _ledger.ClaimAsync())!, FailureClass.User, "Change the option."), null, default);

        var step = await _ledger.StepAsync(run, "a");
        (step.State, step.Failure, step.Message).ShouldBe((StepState.Failed, FailureClass.User, "Change the option."));
    }

    [Fact]
    public async Task Fail_TwoCrashes_ParksTheStep()
    {
        var run = await StartAsync("a");
        for (var i = 0; i < 2; i++)
        {
            await _ledger.Steps.FailAsync(LedgerFixture.Failed((await _ledger.ClaimAsync())!, FailureClass.Poison), null, default);
            _ledger.Clock.Advance(TimeSpan.FromMinutes(1));
        }

        var step = await _ledger.StepAsync(run, "a");
        (step.State, step.Failure).ShouldBe((StepState.Failed, FailureClass.Poison));
        step.Message.ShouldStartWith("Parked after 2 crashes");
    }

    [Fact]
    public async Task Fail_Released_IsReadyAtOnceAndCostsNoAttemptBudget()
    {
        var run = await StartAsync("a");
        for (var i = 0; i < 5; i++)
            await _ledger.Steps.FailAsync(LedgerFixture.Failed((await _ledger.ClaimAsync())!, null), null, default);

        (await _ledger.StepAsync(run, "a")).State.ShouldBe(StepState.Ready);
        (await _ledger.ClaimAsync())!.Attempt.ShouldBe(6);
    }

    [Fact]
    public async Task Sweep_WorkersLostAgainAndAgain_ParksTheStep()
    {
        var run = await StartAsync("a");
        for (var i = 0; i < _ledger.Options.LossLimit; i++)
        {
            (await _ledger.ClaimAsync()).ShouldNotBeNull();
            _ledger.Clock.Advance(_ledger.Options.Lease + TimeSpan.FromMilliseconds(1));
            (await _ledger.Sweep.RunAsync(default)).ShouldBe(1);
        }

        (await _ledger.StepAsync(run, "a")).Message.ShouldStartWith("Parked after 5 lost workers.");
    }

    [Fact]
    public async Task Claim_TwentyAtOnce_NobodyGetsTheSameStep()
    {
        await StartAsync([.. Enumerable.Range(0, 15).Select(i => $"s{i}")]);

        var claimed = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(() => _ledger.ClaimAsync($"w{i}"))));

        claimed.OfType<StepRow>().Select(s => s.Name).Distinct().Count().ShouldBe(15);
        claimed.Count(c => c is null).ShouldBe(5);
    }

    [Fact]
    public async Task Fail_OutOfMemoryTwice_TheNextAttemptSplitsItsWorkInFour()
    {
        await StartAsync("a");
        var divisors = new List<int>();
        for (var i = 0; i < 3; i++)
        {
            var step = (await _ledger.ClaimAsync())!;
            divisors.Add(step.MemoryDivisor);
            await _ledger.Steps.FailAsync(LedgerFixture.Failed(step, FailureClass.Resource), null, default);
            _ledger.Clock.Advance(TimeSpan.FromMinutes(2));
        }

        divisors.ShouldBe([1, 2, 4]);
    }

    [Fact]
    public async Task Fail_OutOfMemory_TheNextAttemptAsksForMoreAndNeverForMoreThanThereIs()
    {
        const long Gibibyte = 1L << 30;
        await _ledger.AdvertiseAsync();
        await _ledger.SubmitAsync("a");
        await _ledger.PrepareAsync(memoryBytes: 12 * Gibibyte);
        var first = (await _ledger.ClaimAsync("small", slots: 1, memoryBytes: 16 * Gibibyte))!;
        await _ledger.ClaimAsync("large", slots: 1, memoryBytes: 20 * Gibibyte);

        await FailAsync(first);
        (await _ledger.ClaimAsync("small", slots: 1, memoryBytes: 16 * Gibibyte)).ShouldBeNull("it asks for 18 GiB now");
        var second = (await _ledger.ClaimAsync("large", slots: 1, memoryBytes: 20 * Gibibyte))!;
        await FailAsync(second);
        var third = (await _ledger.ClaimAsync("large", slots: 1, memoryBytes: 20 * Gibibyte))!;

        new[] { first, second, third }.Select(s => s.MemoryBytes / Gibibyte).ShouldBe([12, 18, 20]);

        async Task FailAsync(StepRow step)
        {
            await _ledger.Steps.FailAsync(LedgerFixture.Failed(step, FailureClass.Resource), null, default);
            _ledger.Clock.Advance(TimeSpan.FromMinutes(2));
        }
    }

    [Fact]
    public async Task Claim_EverySlotHeld_GetsNothingUntilOneIsFree()
    {
        await StartAsync("a", "b", "c");
        var first = (await ClaimWithSlotsAsync("w1", []))!;
        var second = (await ClaimWithSlotsAsync("w1", [first]))!;

        (await ClaimWithSlotsAsync("w1", [first, second])).ShouldBeNull("both slots are held");
        await _ledger.Steps.FinishAsync(LedgerFixture.Finished(first), default);

        (await ClaimWithSlotsAsync("w1", [second])).ShouldNotBeNull();
        (await _ledger.Workers.ListAsync(default)).Select(w => (w.Name, w.Slots, w.Held, w.Free)).ShouldBe([("w1", 2, 2, 0)]);
    }

    [Fact]
    public async Task Claim_QuotaOfTheKindUsedUp_WaitsForItsEnd()
    {
        using var ledger = new LedgerFixture(new OrchestratorOptions { Quotas = { ["noop"] = 1 } });
        await ledger.AdvertiseAsync();
        await ledger.SubmitAsync("a", "b");
        await ledger.PrepareAsync();
        var first = (await ledger.ClaimAsync())!;

        (await ledger.ClaimAsync("w2")).ShouldBeNull();
        await ledger.Steps.FinishAsync(LedgerFixture.Finished(first), default);

        (await ledger.ClaimAsync("w2")).ShouldNotBeNull();
    }

    [Fact]
    public async Task Claim_StepNeedsMoreMemoryThanTheWorkerHas_GoesToOneThatHasIt()
    {
        await _ledger.AdvertiseAsync();
        await _ledger.SubmitAsync("large");
        await _ledger.PrepareAsync(memoryBytes: 3000);

        (await _ledger.ClaimAsync("small", slots: 2, memoryBytes: 2999)).ShouldBeNull();
        (await _ledger.ClaimAsync("large", slots: 2, memoryBytes: 3000)).ShouldNotBeNull();
    }

    [Fact]
    public async Task Claim_MemoryIsTakenByAnotherStep_WaitsForItsEndAndLetsSmallerOnesGoFirst()
    {
        await _ledger.AdvertiseAsync();
        await _ledger.SubmitAsync("first", "second");
        await _ledger.PrepareAsync(memoryBytes: 600);
        await _ledger.SubmitAsync("small");
        await _ledger.PrepareAsync(memoryBytes: 400);
        var first = (await _ledger.ClaimAsync(slots: 3, memoryBytes: 1000))!;

        (await _ledger.ClaimAsync(slots: 3, memoryBytes: 1000))!.Name.ShouldBe("small");
        (await _ledger.ClaimAsync(slots: 3, memoryBytes: 1000)).ShouldBeNull();
        await _ledger.Steps.FinishAsync(LedgerFixture.Finished(first), default);
        (await _ledger.ClaimAsync(slots: 3, memoryBytes: 1000))!.Name.ShouldBe("second");
    }

    [Fact]
    public async Task Claim_NeedOrMemoryIsNotKnown_AnyWorkerTakesTheStep()
    {
        await _ledger.AdvertiseAsync();
        await _ledger.SubmitAsync("unknown");
        await _ledger.PrepareAsync();
        (await _ledger.ClaimAsync("tiny", slots: 1, memoryBytes: 1)).ShouldNotBeNull();
        await _ledger.SubmitAsync("large");
        await _ledger.PrepareAsync(memoryBytes: long.MaxValue);

        (await _ledger.ClaimAsync("silent", slots: 1)).ShouldNotBeNull();
    }

    [Theory]
    [InlineData(3600)]
    [InlineData(-3600)]
    public async Task Sweep_WallClockJumps_NoLeaseIsLostAndADeadWorkerIsStillNoticed(int seconds)
    {
        var run = await StartAsync("a");
        await _ledger.ClaimAsync();
        _ledger.Clock.WallJump = TimeSpan.FromSeconds(seconds);

        (await _ledger.Sweep.RunAsync(default)).ShouldBe(0, "the lease has not ended");
        _ledger.Clock.Advance(_ledger.Options.Lease + TimeSpan.FromSeconds(1));
        (await _ledger.Sweep.RunAsync(default)).ShouldBe(1, "the lease has ended, whatever the wall clock says");

        (await _ledger.StepAsync(run, "a")).State.ShouldBe(StepState.Ready);
    }

    [Fact]
    public async Task Sweep_LeaseWrittenByAClockThatWasAhead_EndsWithinOneLease()
    {
        var run = await StartAsync("a");
        await _ledger.ClaimAsync();
        await _ledger.Database.WriteAsync(t => t.ExecuteAsync("update step set lease_until = lease_until + 86400000"), default);

        await _ledger.Sweep.RunAsync(default);
        _ledger.Clock.Advance(_ledger.Options.Lease + TimeSpan.FromSeconds(1));
        await _ledger.Sweep.RunAsync(default);

        (await _ledger.StepAsync(run, "a")).State.ShouldBe(StepState.Ready);
    }

    private Task<StepRow?> ClaimWithSlotsAsync(string worker, StepRow[] holding) =>
        _ledger.ClaimAsync(worker, [LedgerFixture.Offer("noop")], ["cpu"], [.. holding.Select(h => new HeldAttempt(h.Run, h.Name, h.Attempt))], slots: 2);

    private async Task<Guid> StartAsync(params string[] steps)
    {
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync(steps);
        await _ledger.PrepareAsync();
        return run;
    }

    [Fact]
    public async Task Sweep_DamagedRun_IsPassedOverAndTheOthersAreSwept()
    {
        await _ledger.AdvertiseAsync();
        var damaged = await _ledger.SubmitAsync("a");
        var sound = await _ledger.SubmitAsync("a");
        await _ledger.PrepareAsync();
        await _ledger.ClaimAsync("w1");
        await _ledger.ClaimAsync("w2");
        // A cancelled step ends its run, whose state cannot be read.
        await _ledger.Database.WriteAsync(
            t => t.ExecuteAsync("update run set state = 'no such state', cancel_until = 1 where id = @id", new { id = $"{damaged}" }), default);
        _ledger.Clock.Advance(TimeSpan.FromSeconds(16));

        await _ledger.Sweep.RunAsync(default);

        (await _ledger.StepAsync(sound, "a")).State.ShouldBe(StepState.Ready);
    }
}
