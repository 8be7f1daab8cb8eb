using System.Text.Json;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;
using Espalier.TestKit.Services.Ledger;

namespace Espalier.Orchestrator.Tests.Ledger;

/// <summary>Workers that offer more than one device class: slots and memory count by class.</summary>
public sealed class DeviceClassTests : IDisposable
{
    private const long Gibibyte = 1L << 30;
    private static readonly DeviceClass Gpus = new() { Name = DeviceNames.Cuda, Count = 2, Slots = 2, MemoryBytes = 24 * Gibibyte };
    private static readonly DeviceClass Processors = new() { Name = DeviceNames.Cpu, Slots = 1, MemoryBytes = 8 * Gibibyte };
    private readonly LedgerFixture _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public async Task Claim_EveryGpuIsBusy_StepsForTheCpuGoOn()
    {
        await AdvertiseAsync();
        var run = await SubmitAsync(("a", "cuda", 20), ("b", "cuda", 20), ("c", "cuda", 20), ("d", "cpu", 1));
        var first = (await ClaimAsync("w", []))!;
        var second = (await ClaimAsync("w", [first]))!;

        var third = (await ClaimAsync("w", [first, second]))!;
        (await ClaimAsync("w", [first, second, third])).ShouldBeNull();

        new[] { first, second, third }.Select(s => (s.Name, s.Device)).ShouldBe([("a", "cuda"), ("b", "cuda"), ("d", "cpu")]);
        (await _ledger.StepAsync(run, "c")).Wait!.Text.ShouldBe("All 2 slots on cuda are taken; it is next.");
    }

    [Fact]
    public async Task Claim_StepLargerThanOneGpu_IsNotGivenToSeveralTogether()
    {
        await AdvertiseAsync();
        var run = await SubmitAsync(("large", "cuda", 30), ("small", "cuda", 24));

        (await ClaimAsync("w", []))!.Name.ShouldBe("small");

        var wait = (await _ledger.StepAsync(run, "large")).Wait!;
        wait.Reason.ShouldBe(WaitReason.Memory);
        wait.Text.ShouldBe("No live worker offers 'cuda' with 30.0 GiB, which is about what it needs: the largest is w with 24.0 GiB. "
            + "Start one with more (worker:memory-bytes, or memory in worker:devices).");
        (await new WorkerRooms(_ledger.Database, _ledger.Catalog).FindAsync("cuda", default))!.Where
            .ShouldBe("no live worker offers 'cuda' with that: the largest is w with 24.0 GiB");
    }

    [Fact]
    public async Task Claim_StepLargerThanTheProcessorsHave_DoesNotTakeTheGpusMemoryForTheirs()
    {
        await AdvertiseAsync();
        var run = await SubmitAsync(("large", "cpu", 20));

        (await ClaimAsync("w", [])).ShouldBeNull();

        (await _ledger.StepAsync(run, "large")).Wait!.Text.ShouldStartWith("No live worker offers 'cpu' with 20.0 GiB");
    }

    [Fact]
    public async Task Fail_OutOfMemoryOnAGpu_AsksForNoMoreThanOneGpuHas()
    {
        await AdvertiseAsync();
        await SubmitAsync(("a", "cuda", 20));
        var step = (await ClaimAsync("w", []))!;

        await _ledger.Steps.FailAsync(LedgerFixture.Failed(step, FailureClass.Resource), null, default);
        _ledger.Clock.Advance(TimeSpan.FromMinutes(2));

        (await ClaimAsync("w", []))!.MemoryBytes.ShouldBe(24 * Gibibyte);
    }

    [Fact]
    public async Task Workers_WithSeveralClasses_AreListedWithEach()
    {
        await AdvertiseAsync();
        await SubmitAsync(("a", "cuda", 20));
        await ClaimAsync("w", []);

        var worker = (await _ledger.Workers.ListAsync(default)).ShouldHaveSingleItem();

        (worker.Device, worker.Slots, worker.Held, worker.MemoryBytes).ShouldBe(("cuda", 3, 1, 56 * Gibibyte));
        worker.Classes.Select(c => (c.Name, c.Count, c.Slots, c.Held, c.MemoryBytes, c.HeldBytes))
            .ShouldBe([("cuda", 2, 2, 1, 24 * Gibibyte, 20 * Gibibyte), ("cpu", 1, 1, 0, 8 * Gibibyte, 0)]);
    }

    [Fact]
    public async Task Find_CodeThatIsOfferedAsASpare_IsTakenOnlyWhereNobodyElseOffersTheirs()
    {
        await AdvertiseAsync("cpu", "few threads", isSpare: false);
        await AdvertiseAsync("cpu", "many threads", isSpare: true);
        (await NumericsAsync()).ShouldBe("few threads", "the newer one is there for GPUs");

        _ledger.Clock.Advance(_ledger.Options.StageLifetime + TimeSpan.FromSeconds(1));
        await AdvertiseAsync("cpu", "many threads", isSpare: true);

        (await NumericsAsync()).ShouldBe("many threads");
    }

    [Fact]
    public async Task Knows_OffersOfEachClass_NeedNotBeKnownOnTheOther()
    {
        await AdvertiseAsync();
        StageOffer[] offers = [Offer("cpu"), Offer("cuda")];

        (await _ledger.Catalog.KnowsAsync(offers, ["cuda", "cpu"], default)).ShouldBeTrue();
        (await _ledger.Catalog.KnowsAsync([.. offers.Select(o => o with { Device = null })], ["cuda", "cpu"], default)).ShouldBeFalse();
    }

    private async Task<string> NumericsAsync() => (await _ledger.Catalog.FindLiveAsync("noop", "cpu", default))!.NumericsClass;

    private async Task AdvertiseAsync()
    {
        await AdvertiseAsync("cpu", "cpu", isSpare: true);
        await AdvertiseAsync("cuda", "cuda", isSpare: false);
    }

    private Task AdvertiseAsync(string device, string numerics, bool isSpare) => _ledger.Catalog.AdvertiseAsync(new StageAdvertised
    {
        Kind = "noop", Device = device, Version = "v1", NumericsClass = numerics, IsSpare = isSpare,
        Schema = JsonSerializer.SerializeToElement(new { kind = "object" }),
    }, default);

    private async Task<Guid> SubmitAsync(params (string Name, string Device, long Gibibytes)[] steps)
    {
        var id = Guid.NewGuid();
        var plan = LedgerFixture.Plan([.. steps.Select(s => s.Name)]);
        plan = plan with { Steps = [.. plan.Steps.Zip(steps, (planned, step) => planned with { Device = step.Device })] };
        await _ledger.Runs.SubmitAsync(new SubmitRun { RunId = id, Pipeline = "" }, plan, default);
        foreach (var step in await _ledger.Preparations.ListAsync(100, default))
        {
            var planned = steps.Single(s => s.Name == step.Name);
            var offer = Offer(planned.Device);
            await _ledger.Preparations.ReadyAsync(
                step, Digest.Of(System.Text.Encoding.UTF8.GetBytes(step.Name)), StageCatalog.Offer(offer.Kind, offer.Version, offer.NumericsClass), [], null,
                default, planned.Gibibytes * Gibibyte);
        }
        return id;
    }

    /// <summary>A claim as a worker sends it: it names the classes on which it knows a slot to be free.</summary>
    private Task<StepRow?> ClaimAsync(string worker, StepRow[] held) => _ledger.Steps.ClaimAsync(new ClaimStep
    {
        Worker = worker, Kinds = ["noop"], Classes = [Gpus, Processors], Slots = 3, Offers = [Offer("cpu"), Offer("cuda")],
        Devices = [.. new[] { Gpus, Processors }.Where(c => held.Count(s => s.Device == c.Name) < c.Slots).Select(c => c.Name)],
        Holding = [.. held.Select(s => new HeldAttempt(s.Run, s.Name, s.Attempt))],
    }, default);

    private static StageOffer Offer(string device) => new("noop", "v1", device) { Device = device };
}
