using System.Diagnostics;
using Espalier.Contracts;
using Espalier.NoopService;
using Espalier.Orchestrator.Ledger;
using Espalier.Stages.Worker;
using Espalier.Stages;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;
using Espalier.TestKit.Services.Embedded;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>Services as separate processes over a real RabbitMQ and a real PostgreSQL.</summary>
[Collection(ServersCollection.Name)]
public sealed class DistributedRunTests(BrokerAndDatabase servers)
{
    private const string Pipeline = """
        name: distributed
        stages:
          base:  { uses: noop, with: { text: base, units: 3 } }
          left:  { uses: noop, needs: base, with: { text: left, units: 2, from: "${base.model}" } }
          right: { uses: noop, needs: base, with: { text: right, units: 2, from: "${base.model}" } }
          last:  { uses: noop, needs: [left, right], when: "left.units > 1", with: { text: last, from: "${left.model}" } }
        """;

    [Fact]
    public async Task Run_SeparateProcesses_GivesTheRootsOfTheEmbeddedRun()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        await Task.WhenAll(platform.StartWorkerAsync(), platform.StartWorkerAsync());
        await using var embedded = await StartEmbeddedAsync();

        var distributed = await platform.EndAsync(await platform.SubmitAsync(Pipeline));
        var alone = await embedded.EndAsync(await embedded.SubmitAsync(Pipeline));

        distributed.State.ShouldBe(RunState.Succeeded, platform.Log);
        Roots(distributed).ShouldBe(Roots(alone));
        distributed.Steps.Select(s => s.Key).ShouldBe(alone.Steps.Select(s => s.Key));
    }

    [Fact]
    public async Task Kill_WorkerInTheMiddle_AnotherGoesOnFromItsCursor()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        var first = await platform.StartWorkerAsync();
        var run = await SubmitHalfAsync(platform);
        await platform.StartWorkerAsync();

        await first.KillAsync();
        await platform.WaitAsync(run, v => v.Steps[0].Attempts >= 2);
        platform.OpenGate();
        var ended = await platform.EndAsync(run);

        ended.State.ShouldBe(RunState.Succeeded, platform.Log);
        var receipt = (await StepReceipt.FindAsync(platform.Artifacts, ended.Steps[0].Key!.Value, default))!;
        receipt.Attempt.ShouldBeGreaterThan(1);
        receipt.Metrics["units-of-this-attempt"].ShouldBe(5, "finished units are not done again");
    }

    [Fact]
    public async Task Terminate_WorkerInTheMiddle_StepIsReleasedAndTheServiceEndsCleanly()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        var first = await platform.StartWorkerAsync();
        var run = await SubmitHalfAsync(platform);

        (await first.TerminateAsync()).ShouldBe(0, first.Log);
        var released = await platform.FindAsync(run);
        await platform.StartWorkerAsync();
        platform.OpenGate();
        var ended = await platform.EndAsync(run);

        released.Steps[0].State.ShouldBe(StepState.Ready, "it did not wait for the lease to end");
        released.Steps[0].Message.ShouldContain("shut down");
        ended.State.ShouldBe(RunState.Succeeded, platform.Log);
    }

    [Fact]
    public async Task Drain_WorkerInTheMiddle_ItEndsInTimeAndAnotherGoesOnFromItsPosition()
    {
        // Manifests give a worker 75 s; a step that was drained runs elsewhere in 20 s.
        await using var platform = await DistributedPlatform.StartAsync(servers, withDefaultTimes: true);
        var first = await platform.StartWorkerAsync();
        var run = await SubmitHalfAsync(platform);

        var clock = Stopwatch.StartNew();
        (await first.TerminateAsync()).ShouldBe(0, first.Log);
        var ended = clock.Elapsed;
        var wanted = await platform.MetricsAsync();
        await platform.StartWorkerAsync();
        clock.Restart();
        await platform.WaitAsync(run, v => v.Steps[0].State == StepState.Running);
        var again = clock.Elapsed;
        platform.OpenGate();
        var outcome = await platform.EndAsync(run);

        ended.ShouldBeLessThan(TimeSpan.FromSeconds(75));
        again.ShouldBeLessThan(TimeSpan.FromSeconds(20));
        wanted.ShouldMatch("""espalier_steps_demand\{[^}]*device="cpu"[^}]*kind="noop"[^}]*\} 1""", "somebody must be started for it");
        var receipt = (await StepReceipt.FindAsync(platform.Artifacts, outcome.Steps[0].Key!.Value, default))!;
        receipt.Metrics["units-of-this-attempt"].ShouldBe(5, "finished units are not done again");
    }

    [Fact]
    public async Task Kill_OrchestratorInTheMiddle_RunGoesOnAfterItsRestart()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        await platform.StartWorkerAsync();
        var run = await SubmitHalfAsync(platform);

        await platform.Orchestrator.KillAsync();
        await platform.StartOrchestratorAsync();
        platform.OpenGate();
        var ended = await platform.EndAsync(run);

        ended.State.ShouldBe(RunState.Succeeded, platform.Log);
    }

    /// <summary>A run whose first step has done five of ten units and waits for the gate.</summary>
    private static async Task<Guid> SubmitHalfAsync(DistributedPlatform platform)
    {
        var run = await platform.SubmitAsync(
            $$"""
            name: half
            stages:
              work: { uses: noop, with: { text: half, units: 10, gate: "{{platform.Gate}}" } }
              next: { uses: noop, needs: work, with: { text: next, from: "${work.model}" } }
            """);
        await platform.WaitAsync(run, v => v.Steps[0].Done == 5);
        return run;
    }

    private static Task<EmbeddedPlatform> StartEmbeddedAsync() => EmbeddedPlatform.StartAsync(services: services => services
        .AddSingleton<INumericsClass, FixedNumerics>().AddSingleton<IStage, UnitsStage>());

    private static IEnumerable<string> Roots(RunView run) =>
        run.Steps.Select(s => $"{s.Name} {s.State} {string.Join(',', s.Outputs.Values.Select(o => o.Root.Hex))}");
}
