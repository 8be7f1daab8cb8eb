using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

/// <summary>A step that was prepared for workers with eight threads, and a worker that has two.</summary>
public sealed class OtherThreadsTests : IDisposable
{
    private const string Many = "engine-1;cpu;avx2;threads=8", Few = "engine-1;cpu;avx2;threads=2";
    private readonly LedgerFixture _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public async Task Claim_StepThatWasBegun_GoesOnWithItsKey()
    {
        await StartAsync();
        var begun = (await ClaimAsync("gone", Many))!;
        await _ledger.Steps.FailAsync(LedgerFixture.Failed(begun, null), null, default);

        var again = await ClaimAsync("here", Few);

        again.ShouldNotBeNull().StepKey.ShouldBe(begun.StepKey);
        StageCatalog.NumericsClassOf(again.Offer!).ShouldBe(Many);
    }

    [Fact]
    public async Task Claim_StepThatNobodyBegan_IsLeftToTheOthersForAMoment()
    {
        await StartAsync();

        (await ClaimAsync("here", Few)).ShouldBeNull();
        _ledger.Clock.Advance(OtherThreads.Left);
        (await ClaimAsync("here", Few)).ShouldNotBeNull();
    }

    [Theory]
    [InlineData("engine-2;cpu;avx2;threads=2", true)] // another engine
    [InlineData("engine-1;cpu;avx512;threads=2", true)] // another processor
    [InlineData("engine-1;cpu;avx2;threads=2", false)] // cannot choose
    public async Task Claim_WorkerThatWouldGiveOtherBits_GetsNothing(string numerics, bool choosesThreads)
    {
        await StartAsync();
        _ledger.Clock.Advance(OtherThreads.Left);

        (await ClaimAsync("here", numerics, choosesThreads)).ShouldBeNull();
    }

    [Fact]
    public async Task Claim_ManyTimesTheWorkersThreads_GetsNothing()
    {
        await StartAsync("engine-1;cpu;avx2;threads=64");
        _ledger.Clock.Advance(OtherThreads.Left);

        (await ClaimAsync("here", Few)).ShouldBeNull();
    }

    private async Task StartAsync(string numerics = Many)
    {
        await _ledger.AdvertiseAsync();
        await _ledger.SubmitAsync("a");
        var step = (await _ledger.Preparations.ListAsync(1, default))[0];
        await _ledger.Preparations.ReadyAsync(step, Digest.Of("a"u8), StageCatalog.Offer("noop", "v1", numerics), [], null, default);
    }

    private Task<StepRow?> ClaimAsync(string worker, string numerics, bool choosesThreads = true)
    {
        var claim = new ClaimStep
        {
            Worker = worker, Kinds = ["noop"], Devices = ["cpu"], Offers = [new StageOffer("noop", "v1", numerics)], ChoosesThreads = choosesThreads,
        };
        return _ledger.Steps.ClaimAsync(claim, default);
    }
}
