using Espalier.Contracts;
using Espalier.Orchestrator.Database;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

/// <summary>The orchestrator is started again while the clock of its machine is a day off, and a step runs.</summary>
public sealed class LedgerResumptionTests : IDisposable
{
    private readonly LedgerFixture _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task Start_ClockADayOff_TakesNoLeaseAndKeepsNoneForEver(int days)
    {
        await _ledger.AdvertiseAsync();
        var run = await _ledger.SubmitAsync("a");
        await _ledger.PrepareAsync();
        var step = (await _ledger.ClaimAsync())!;
        await _ledger.Database.WriteAsync(
            t => t.ExecuteAsync("update step set deadline_at = @until", new { until = t.Now + (long)TimeSpan.FromHours(1).TotalMilliseconds }), default);

        _ledger.Clock.Advance(TimeSpan.FromDays(days));
        await new LedgerResumption(_ledger.Database, _ledger.Options).StartingAsync(default);
        await _ledger.Sweep.RunAsync(default);
        var kept = await _ledger.Steps.RenewAsync(LedgerFixture.Beat(step), default);
        _ledger.Clock.Advance(_ledger.Options.Lease * 1.1);
        await _ledger.Sweep.RunAsync(default);

        kept.ShouldBe(LeaseVerdict.Continue);
        var lost = await _ledger.StepAsync(run, "a");
        (lost.State, lost.Failure).ShouldBe((StepState.Ready, null), "its worker is gone, which is no timeout");
    }
}
