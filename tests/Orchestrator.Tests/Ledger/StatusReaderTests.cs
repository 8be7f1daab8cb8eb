using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

/// <summary>The number that workers are scaled by.</summary>
public sealed class StatusReaderTests : IDisposable
{
    private readonly LedgerFixture _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public async Task Demand_StepsThatAreHeldReadyOrBlocked_CountsThoseThatNeedASlot()
    {
        await _ledger.AdvertiseAsync();
        await _ledger.SubmitAsync("a", "b", "later: a");
        await _ledger.PrepareAsync();
        await _ledger.ClaimAsync();

        var demand = await new StatusReader(_ledger.Database, _ledger.Options).DemandAsync(default);

        demand.ShouldBe([new StepDemand("noop", "cpu", 2)]);
    }

    [Fact]
    public async Task Demand_NobodyOffersTheKind_CountsItAllTheSame()
    {
        await _ledger.SubmitAsync("a");
        await _ledger.PrepareAsync();

        var demand = await new StatusReader(_ledger.Database, _ledger.Options).DemandAsync(default);

        demand.ShouldBe([new StepDemand("noop", "cpu", 1)], "or workers that were scaled to none would never come back");
    }

    [Theory]
    [InlineData("noop", 2, 2)]
    [InlineData("cpu", 1, 1)]
    [InlineData("cuda", 1, 3)]
    public async Task Demand_MoreThanAQuotaAllows_IsTheQuota(string name, int quota, long expected)
    {
        _ledger.Options.Quotas[name] = quota;
        await _ledger.SubmitAsync("a", "b", "c");

        var demand = await new StatusReader(_ledger.Database, _ledger.Options).DemandAsync(default);

        demand.ShouldBe([new StepDemand("noop", "cpu", expected)]);
    }
}
