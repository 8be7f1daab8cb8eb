using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

/// <summary>The machine's clock is set back by a day between two starts: what came first still comes first.</summary>
public sealed class ClockOrderTests : IDisposable
{
    private readonly LedgerFixture _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public async Task Runs_SubmittedLater_AreListedFirst()
    {
        var first = await SubmitAsync("a");
        var second = await SubmitAsync("b");

        (await _ledger.Reader.ListAsync(1, default)).ShouldHaveSingleItem().RunId.ShouldBe(second);
        (await _ledger.Reader.ListAsync(10, default)).Select(r => r.RunId).ShouldBe([second, first]);
    }

    [Fact]
    public async Task Steps_OfTheOldestRun_ArePreparedAndClaimedFirst()
    {
        var first = await SubmitAsync("a", "b");
        await SubmitAsync("c");
        await _ledger.AdvertiseAsync();

        (await _ledger.Preparations.ListAsync(10, default)).Select(s => s.Name).ShouldBe(["a", "b", "c"]);
        await _ledger.PrepareAsync();
        (await _ledger.ClaimAsync())!.Run.ShouldBe(first);
    }

    [Fact]
    public async Task Code_OfferedLast_ComputesNewSteps()
    {
        await _ledger.AdvertiseAsync(version: "v1");
        SetBack();
        await _ledger.AdvertiseAsync(version: "v2");

        (await _ledger.Catalog.FindLiveAsync("noop", "cpu", default))!.Version.ShouldBe("v2");
        (await _ledger.Catalog.ListAsync(default)).ShouldHaveSingleItem().Version.ShouldBe("v2");
    }

    private async Task<Guid> SubmitAsync(params string[] steps)
    {
        var run = await _ledger.SubmitAsync(steps);
        SetBack();
        return run;
    }

    private void SetBack() => _ledger.Clock.Advance(TimeSpan.FromDays(-1));
}
