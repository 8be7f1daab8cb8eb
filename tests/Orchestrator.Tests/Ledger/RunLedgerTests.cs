using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.StateMachine;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

public sealed class RunLedgerTests : IDisposable
{
    private readonly LedgerFixture _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public async Task Submit_SameIdTwice_StartsOneRun()
    {
        var submit = new SubmitRun { RunId = Guid.NewGuid(), Pipeline = "" };

        (await _ledger.Runs.SubmitAsync(submit, LedgerFixture.Plan("a"), default)).ShouldBeTrue();
        (await _ledger.Runs.SubmitAsync(submit, LedgerFixture.Plan("a"), default)).ShouldBeFalse();

        (await _ledger.Reader.ListAsync(10, default)).Count.ShouldBe(1);
        (await _ledger.CountAsync("select count(*) from step")).ShouldBe(1);
    }

    [Fact]
    public async Task Submit_WithOwnerAndReason_BothAreRead()
    {
        var submit = new SubmitRun { RunId = Guid.NewGuid(), Pipeline = "", SubmittedBy = "nora", Reason = "a smaller rate" };
        await _ledger.Runs.SubmitAsync(submit, LedgerFixture.Plan("a"), default);
        var silent = await _ledger.SubmitAsync("a");

        var run = await _ledger.RunAsync(submit.RunId);
        (run.Owner, run.Reason).ShouldBe(("nora", "a smaller rate"));
        (await _ledger.Reader.ListAsync(10, default)).Single(r => r.RunId == submit.RunId).Owner.ShouldBe("nora");
        ((await _ledger.RunAsync(silent)).Owner, (await _ledger.RunAsync(silent)).Reason).ShouldBe((null, null));
    }

    [Fact]
    public async Task Cancel_WorkerStops_RunIsCancelledAndResumeGoesOn()
    {
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync("a", "b: a");
        await _ledger.PrepareAsync();
        var step = (await _ledger.ClaimAsync())!;

        (await _ledger.Runs.CancelAsync(new CancelRun(run, "Ctrl-C"), default))!.State.ShouldBe(RunState.Running);
        (await _ledger.Steps.RenewAsync(LedgerFixture.Beat(step), default)).ShouldBe(LeaseVerdict.Cancel);
        (await _ledger.RunAsync(run)).IsCancelling.ShouldBeTrue();
        await _ledger.Steps.FailAsync(LedgerFixture.Failed(step, null), null, default);

        var cancelled = await _ledger.RunAsync(run);
        cancelled.State.ShouldBe(RunState.Cancelled);
        cancelled.Message.ShouldBe("Cancel requested: Ctrl-C");
        cancelled.Steps.ShouldAllBe(s => s.State == StepState.Cancelled);

        (await _ledger.Runs.ResumeAsync(run, default))!.State.ShouldBe(RunState.Queued);
        await _ledger.PrepareAsync();
        (await _ledger.ClaimAsync())!.Attempt.ShouldBe(2, "fences never repeat, so an old attempt stays fenced");
    }

    [Fact]
    public async Task Cancel_BetweenTheClaimAndTheStartOfTheRun_KeepsItsReason()
    {
        await _ledger.AdvertiseAsync();
        var id = await _ledger.SubmitAsync("a");
        await _ledger.PrepareAsync();
        var step = (await _ledger.ClaimAsync())!;
        await _ledger.Database.WriteAsync(t => t.ExecuteAsync("update run set state = 'queued'", new { }), default);

        await _ledger.Runs.CancelAsync(new CancelRun(id, "by nora"), default);
        (await _ledger.Database.WriteAsync(async t => await t.MoveAsync((await t.LockRunAsync(id))!, RunEvent.Started), default)).ShouldBeTrue();
        await _ledger.Steps.FailAsync(LedgerFixture.Failed(step, null), null, default);

        var run = await _ledger.RunAsync(id);
        (run.State, run.Message).ShouldBe((RunState.Cancelled, "Cancel requested: by nora"));
    }

    [Fact]
    public async Task Cancel_WorkerNeverAnswers_IsOverAfterTheGrace()
    {
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync("a");
        await _ledger.PrepareAsync();
        var step = (await _ledger.ClaimAsync())!;
        await _ledger.Runs.CancelAsync(new CancelRun(run, "stop"), default);
        while (_ledger.Clock.GetUtcNow() < new DateTimeOffset(2026, 1, 1, 0, 0, 31, TimeSpan.Zero))
        {
            _ledger.Clock.Advance(TimeSpan.FromSeconds(5));
            await _ledger.Steps.RenewAsync(LedgerFixture.Beat(step), default);
        }

        await _ledger.Sweep.RunAsync(default);

        (await _ledger.RunAsync(run)).State.ShouldBe(RunState.Cancelled);
        (await _ledger.Steps.RenewAsync(LedgerFixture.Beat(step), default)).ShouldBe(LeaseVerdict.LeaseLost);
    }

    [Fact]
    public async Task Resume_FailedRun_KeepsWhatSucceeded()
    {
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync("a", "b: a", "c: b");
        await _ledger.PrepareAsync();
        await _ledger.Steps.FinishAsync(LedgerFixture.Finished((await _ledger.ClaimAsync())!), default);
        await _ledger.PrepareAsync();
        await _ledger.Steps.FailAsync(LedgerFixture.Failed((await _ledger.ClaimAsync())!, FailureClass.User), null, default);
        (await _ledger.RunAsync(run)).State.ShouldBe(RunState.Failed);

        await _ledger.Runs.ResumeAsync(run, default);
        for (var i = 0; i < 2; i++)
        {
            await _ledger.PrepareAsync();
            await _ledger.Steps.FinishAsync(LedgerFixture.Finished((await _ledger.ClaimAsync())!), default);
        }

        var ended = await _ledger.RunAsync(run);
        ended.State.ShouldBe(RunState.Succeeded);
        ended.Steps.Select(s => s.Attempts).ShouldBe([1, 2, 1]);
    }

    [Fact]
    public async Task Sweep_NobodyOffersTheKind_TheStepSaysSo()
    {
        var run = await _ledger.SubmitAsync("a");

        await _ledger.Sweep.RunAsync(default);
        (await _ledger.StepAsync(run, "a")).Message.ShouldBe("No live worker offers 'noop' on cpu: start one.");
        (await _ledger.Sweep.RunAsync(default)).ShouldBe(0, "it is said once");
        await _ledger.AdvertiseAsync();
        await _ledger.PrepareAsync();

        (await _ledger.StepAsync(run, "a")).Message.ShouldBe("");
    }

    [Fact]
    public async Task Sweep_NewCodeReplacesOld_ReadyStepsArePreparedAgain()
    {
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync("a");
        await _ledger.PrepareAsync();
        _ledger.Clock.Advance(_ledger.Options.StageLifetime + TimeSpan.FromSeconds(1));
        await _ledger.AdvertiseAsync(version: "v2");

        await _ledger.Sweep.RunAsync(default);

        (await _ledger.StepAsync(run, "a")).State.ShouldBe(StepState.Waiting);
        (await _ledger.Catalog.FindLiveAsync("noop", "cpu", default))!.Version.ShouldBe("v2");
    }

    [Fact]
    public async Task Ready_SameKeyUnderWay_WaitsForThatOne()
    {
        await _ledger.AdvertiseAsync();
        var first = await _ledger.SubmitAsync("a");
        var second = await _ledger.SubmitAsync("a");
        var key = Digest.Of("same"u8);
        foreach (var step in await _ledger.Preparations.ListAsync(10, default))
            await _ledger.Preparations.ReadyAsync(step, key, LedgerFixture.Offer("noop"), [], null, default);

        var claimed = (await _ledger.ClaimAsync())!;
        (await _ledger.ClaimAsync("w2")).ShouldBeNull();
        (await _ledger.Preparations.ListAsync(10, default)).ShouldBeEmpty();
        await _ledger.Steps.FinishAsync(LedgerFixture.Finished(claimed), default);

        var waiting = (await _ledger.Preparations.ListAsync(10, default)).ShouldHaveSingleItem();
        new[] { first, second }.ShouldContain(waiting.Run);
    }

    [Fact]
    public async Task Outbox_BrokerAway_MessagesStayAndComeInOrder()
    {
        await _ledger.SubmitAsync("a");
        await _ledger.SubmitAsync("b");
        var sent = new List<long>();

        await _ledger.Outbox.DispatchAsync((message, _) => sent.Count == 1 ? throw new IOException("away") : Keep(message), default);
        _ledger.Clock.Advance(TimeSpan.FromSeconds(1));
        await _ledger.Outbox.DispatchAsync((message, _) => Keep(message), default);

        (await _ledger.Outbox.CountAsync(default)).ShouldBe(0, "what is confirmed is forgotten");
        sent.Distinct().Count().ShouldBe(2);
        sent.ShouldBe(sent.Order());

        Task Keep(OutboxMessage message)
        {
            sent.Add(message.Id);
            return Task.CompletedTask;
        }
    }
}
