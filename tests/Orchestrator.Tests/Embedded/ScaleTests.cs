using Espalier.Contracts;
using Espalier.TestKit.Services.Embedded;

namespace Espalier.Orchestrator.Tests.Embedded;

/// <summary>
/// Many steps and many runs at once, small enough for every build; <c>tests/Benchmarks/Steps</c> has the full sizes. Alone, since the
/// memory of the process is measured.
/// </summary>
[Collection(nameof(Alone))]
public sealed class ScaleTests
{
    [Fact]
    public async Task Run_ManySteps_EndsWithFlatMemory()
    {
        await using var platform = await EmbeddedPlatform.StartAsync(worker: w => w.Slots = 4);
        await platform.EndAsync(await platform.SubmitAsync(Wide("warm", 40)));
        var before = Collected();

        var run = await platform.EndAsync(await platform.SubmitAsync(Wide("wide", 160)));

        run.Steps.Count(s => s.State == StepState.Succeeded).ShouldBe(160);
        run.Steps.ShouldAllBe(s => s.Attempts == 1);
        (Collected() - before).ShouldBeLessThan(8L << 20, "the orchestrator keeps nothing of a run that ended");
    }

    [Fact]
    public async Task Runs_ManyAtOnce_AllEnd()
    {
        await using var platform = await EmbeddedPlatform.StartAsync(worker: w => w.Slots = 4);

        var runs = await Task.WhenAll(Enumerable.Range(0, 30).Select(i => platform.SubmitAsync(Wide($"run{i}", 3))));

        foreach (var run in runs)
            (await platform.EndAsync(run)).State.ShouldBe(RunState.Succeeded);
    }

    [CollectionDefinition(nameof(Alone), DisableParallelization = true)]
    public sealed class Alone;

    private static string Wide(string text, int steps) =>
        $"name: wide\nstages:\n{string.Join('\n', Enumerable.Range(0, steps).Select(i => $"  s{i}: {{ uses: noop, with: {{ text: {text}-{i} }} }}"))}\n";

    private static long Collected()
    {
        GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}
