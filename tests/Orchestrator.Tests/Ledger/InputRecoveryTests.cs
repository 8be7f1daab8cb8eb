using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

/// <summary>A step finds its input damaged: whoever made the input does it again, once for each blob, and the run goes on.</summary>
public sealed class InputRecoveryTests : IDisposable
{
    private static readonly Digest Blob = Digest.Of("blob"u8);
    private readonly LedgerFixture _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public async Task Fail_InputLost_TheMakerIsDoneAgainAndEveryReaderWaits()
    {
        var run = await StartAsync("a", "b: a", "c: a", "d: a");
        var (b, c, d) = (await ClaimAsync("b"), await ClaimAsync("c"), await ClaimAsync("d"));
        await _ledger.Steps.FinishAsync(LedgerFixture.Finished(d), default);

        (await LoseAsync(b, "a")).ShouldBeTrue();
        (await LoseAsync(c)).ShouldBeTrue(); // the maker waits already

        (await StatesAsync(run)).ShouldBe([StepState.Waiting, StepState.Waiting, StepState.Waiting, StepState.Succeeded]);
        (await _ledger.StepAsync(run, "a")).Message.ShouldContain("done again for step 'b'");
        (await _ledger.StepAsync(run, "b")).Message.ShouldContain("Waits for an input that is made again");
        (await _ledger.PrepareAsync()).ShouldBe(1);
        await _ledger.Steps.FinishAsync(LedgerFixture.Finished(await ClaimAsync("a")), default);
        (await _ledger.PrepareAsync()).ShouldBe(2);
        await _ledger.Steps.FinishAsync(LedgerFixture.Finished(await ClaimAsync("b")), default);
        await _ledger.Steps.FinishAsync(LedgerFixture.Finished(await ClaimAsync("c")), default);
        (await _ledger.RunAsync(run)).State.ShouldBe(RunState.Succeeded);
    }

    [Fact]
    public async Task Fail_SameBlobLostAgain_FailsAndNamesTheDisk()
    {
        var run = await StartAsync("a", "b: a");
        await LoseAsync(await ClaimAsync("b"), "a");
        await _ledger.PrepareAsync();
        await _ledger.Steps.FinishAsync(LedgerFixture.Finished(await ClaimAsync("a")), default);
        await _ledger.PrepareAsync();

        await LoseAsync(await ClaimAsync("b"), "a");

        var failed = await _ledger.StepAsync(run, "b");
        (failed.State, failed.Failure).ShouldBe((StepState.Failed, FailureClass.User));
        failed.Message.ShouldContain("lost again: look at the disk");
        failed.Message.ShouldContain("it broke");
        (await _ledger.RunAsync(run)).State.ShouldBe(RunState.Failed);
    }

    [Fact]
    public async Task Fail_InputMadeAgainMeanwhile_IsTriedAgain()
    {
        var run = await StartAsync("a", "b: a");

        await _ledger.Steps.FailAsync(LedgerFixture.Failed(await ClaimAsync("b"), FailureClass.User), new InputLoss(Blob, [], IsOfTheRun: true), default);

        (await _ledger.StepAsync(run, "b")).State.ShouldBe(StepState.Ready);
    }

    [Fact]
    public async Task Fail_InputOfNoStepOfTheRun_FailsAsTheWorkerSaid()
    {
        var run = await StartAsync("a", "b: a");

        await _ledger.Steps.FailAsync(LedgerFixture.Failed(await ClaimAsync("b"), FailureClass.User), new InputLoss(Blob, [], IsOfTheRun: false), default);

        (await _ledger.StepAsync(run, "b")).Message.ShouldBe("it broke");
        (await _ledger.StepAsync(run, "b")).State.ShouldBe(StepState.Failed);
    }

    /// <summary>Submits a run and ends its first step.</summary>
    private async Task<Guid> StartAsync(params string[] steps)
    {
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync(steps);
        await _ledger.PrepareAsync();
        await _ledger.Steps.FinishAsync(LedgerFixture.Finished(await ClaimAsync("a")), default);
        await _ledger.PrepareAsync();
        return run;
    }

    private async Task<StepRow> ClaimAsync(string expected)
    {
        var step = (await _ledger.ClaimAsync($"worker of {expected}"))!;
        step.Name.ShouldBe(expected);
        return step;
    }

    private Task<bool> LoseAsync(StepRow step, params string[] makers) =>
        _ledger.Steps.FailAsync(LedgerFixture.Failed(step, FailureClass.User), new InputLoss(Blob, makers, makers.Length > 0), default);

    private async Task<StepState[]> StatesAsync(Guid run) => [.. (await _ledger.RunAsync(run)).Steps.Select(s => s.State)];
}
