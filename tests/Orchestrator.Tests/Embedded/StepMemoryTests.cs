using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Stages;
using Espalier.Stages.Worker;
using Espalier.TestKit.Services.Embedded;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Orchestrator.Tests.Embedded;

/// <summary>A worker that says how much memory it has, and estimates that say how much its steps need.</summary>
public sealed class StepMemoryTests
{
    [Fact]
    public async Task Step_LargerThanTheWorker_WaitsAndSaysSoWhileOthersRun()
    {
        await using var platform = await EmbeddedPlatform.StartAsync(
            worker: w => w.MemoryBytes = 2L << 30,
            services: s => s.AddSingleton<NoopHooks>().AddSingleton<IStage, NoopStage>().AddSingleton<INumericsClass, Numerics>()
                .AddSingleton<IOfferedEstimates, Estimates>());
        // Whose claim tells how much memory its worker has.
        await platform.EndAsync(await platform.SubmitAsync("name: first\nstages:\n  a: { uses: noop, with: { text: '' } }\n"));

        var large = await platform.SubmitAsync("name: large\nstages:\n  a: { uses: noop, with: { text: '12345' } }\n");
        var small = await platform.EndAsync(await platform.SubmitAsync("name: small\nstages:\n  a: { uses: noop, with: { text: '12' } }\n"));
        var waiting = await platform.WaitAsync(large, r => r.Steps[0].State == StepState.Ready);

        small.State.ShouldBe(RunState.Succeeded);
        var wait = waiting.Steps[0].Wait.ShouldNotBeNull();
        wait.Reason.ShouldBe(WaitReason.Memory);
        wait.Text.ShouldStartWith("No live worker offers 'cpu' with 5.0 GiB, which is about what it needs: the largest is ");
        wait.Text.ShouldEndWith(" with 2.0 GiB. Start one with more (worker:memory-bytes, or memory in worker:devices).");
    }

    /// <summary>A gibibyte for each character.</summary>
    private sealed class Estimates : IOfferedEstimates
    {
        public IReadOnlyCollection<string> Kinds => ["noop"];

        public Task<StepEstimated?> EstimateAsync(EstimateStep step, CancellationToken cancellationToken) =>
            Task.FromResult<StepEstimated?>(new StepEstimated { MemoryBytes = (long)step.Options.GetProperty("text").GetString()!.Length << 30 });
    }

    private sealed class Numerics : INumericsClass
    {
        public string Value => "test";
    }
}
