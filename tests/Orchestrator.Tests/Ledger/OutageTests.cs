using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

/// <summary>A store that refuses, or a disk that is full: nothing that a step could help.</summary>
public sealed class OutageTests
{
    private const string Reason = "A disk is full: No space left on device.";

    [Fact]
    public async Task Fail_ByAnOutage_IsTriedAgainHoweverOftenAndSaysWhy()
    {
        using var ledger = new LedgerFixture();
        var run = await StartAsync(ledger);

        for (var attempt = 0; attempt < 20; attempt++)
            await FailAsync(ledger, isOutage: true);
        var step = await ledger.StepAsync(run, "a");

        (step.State, step.Attempts).ShouldBe((StepState.Ready, 20));
        step.Wait!.Reason.ShouldBe(WaitReason.Backoff);
        step.Wait.Text.ShouldContain(Reason);
        await FailAsync(ledger, isOutage: false);
        (await ledger.StepAsync(run, "a")).State.ShouldBe(StepState.Ready, "it is the first attempt that counts");
    }

    [Fact]
    public async Task Fail_ByAnOutage_IsTriedAgainWithinSeconds()
    {
        using var ledger = new LedgerFixture();
        await StartAsync(ledger);
        for (var attempt = 0; attempt < 20; attempt++)
            await FailAsync(ledger, isOutage: true);
        ledger.Clock.Advance(TimeSpan.FromMinutes(1));

        await ledger.Steps.FailAsync(LedgerFixture.Failed((await ledger.ClaimAsync())!, FailureClass.Transient) with { IsOutage = true }, null, default);
        ledger.Clock.Advance(TimeSpan.FromSeconds(12.5));

        (await ledger.ClaimAsync()).ShouldNotBeNull();
    }

    [Fact]
    public async Task Fail_ByAnOutageWhereSomebodyWaitsForTheEnd_CountsAsAnyOther()
    {
        using var ledger = new LedgerFixture(new OrchestratorOptions { WaitsOutOutages = false });
        var run = await StartAsync(ledger);

        for (var attempt = 0; attempt < 3; attempt++)
            await FailAsync(ledger, isOutage: true);

        (await ledger.StepAsync(run, "a")).State.ShouldBe(StepState.Failed);
    }

    private static async Task<Guid> StartAsync(LedgerFixture ledger)
    {
        await ledger.AdvertiseAsync();
        var run = await ledger.SubmitAsync("a");
        await ledger.PrepareAsync();
        return run;
    }

    private static async Task FailAsync(LedgerFixture ledger, bool isOutage)
    {
        ledger.Clock.Advance(TimeSpan.FromMinutes(1));
        var failed = LedgerFixture.Failed((await ledger.ClaimAsync())!, FailureClass.Transient, Reason) with { IsOutage = isOutage };
        (await ledger.Steps.FailAsync(failed, null, default)).ShouldBeTrue();
    }
}
