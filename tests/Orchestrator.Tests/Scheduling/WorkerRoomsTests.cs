using Espalier.Orchestrator.Scheduling;
using Espalier.Pipelines.Resolution;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Scheduling;

public sealed class WorkerRoomsTests : IDisposable
{
    private const long Gibibyte = 1L << 30;
    private readonly LedgerFixture _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public async Task Find_WorkersThatSayWhatTheyHave_IsTheLargestLiveOne()
    {
        (await FindAsync("cpu")).ShouldBeNull("there is no worker yet");
        await _ledger.ClaimAsync("gone", slots: 1, memoryBytes: 64 * Gibibyte);
        _ledger.Clock.Advance(_ledger.Options.StageLifetime + TimeSpan.FromSeconds(1));
        await _ledger.ClaimAsync("small", slots: 1, memoryBytes: 8 * Gibibyte);
        await _ledger.ClaimAsync("large", slots: 1, memoryBytes: 16 * Gibibyte);

        (await FindAsync("cpu")).ShouldBe(new StepRoom(16 * Gibibyte, "no live worker offers 'cpu' with that: the largest is large with 16.0 GiB"));
        (await FindAsync("cuda")).ShouldBeNull();
    }

    [Fact]
    public async Task Find_OneWorkerThatDoesNotSay_IsNotKnown()
    {
        await _ledger.ClaimAsync("small", slots: 1, memoryBytes: 8 * Gibibyte);
        await _ledger.ClaimAsync("silent", slots: 1);

        (await FindAsync("cpu")).ShouldBeNull();
    }

    private Task<StepRoom?> FindAsync(string device) => new WorkerRooms(_ledger.Database, _ledger.Catalog).FindAsync(device, default);
}
