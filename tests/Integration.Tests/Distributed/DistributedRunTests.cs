using Espalier.Contracts;
using Espalier.NoopService;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Tests.Embedded;
using Espalier.Stages;
using Espalier.Stages.Worker;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>Services as separate processes over a real RabbitMQ and a real PostgreSQL.</summary>
[Collection(ServersCollection.Name)]
public sealed class DistributedRunTests(Servers servers)
{
    private const string Pipeline = """
        name: distributed
        stages:
          base:  { uses: noop, with: { text: base, units: 3 } }
          left:  { uses: noop, needs: base, with: { text: left, units: 2, from: "${base.model}" } }
          right: { uses: noop, needs: base, with: { text: right, units: 2, from: "${base.model}" } }
          last:  { uses: noop, needs: [left, right], when: "left.units > 1", with: { text: last, from: "${left.model}" } }
        """;

    private const string Slow = """
        name: slow
        stages:
          work: { uses: noop, with: { text: slow, units: 60, pause: 100ms } }
          next: { uses: noop, needs: work, with: { text: next, from: "${work.model}" } }
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
        var run = await platform.SubmitAsync(Slow);
        await platform.WaitAsync(run, v => v.Steps[0].Done >= 5);
        await platform.StartWorkerAsync();

        await first.KillAsync();
        var ended = await platform.EndAsync(run);

        ended.State.ShouldBe(RunState.Succeeded, platform.Log);
        ended.Steps[0].Attempts.ShouldBe(2);
        var receipt = (await StepReceipt.FindAsync(platform.Artifacts, ended.Steps[0].Key!.Value, default))!;
        receipt.Attempt.ShouldBe(2);
        receipt.Metrics["units-of-this-attempt"].ShouldBeInRange(1, 55, "finished units are not done again");
    }

    [Fact]
    public async Task Terminate_WorkerInTheMiddle_StepIsReleasedAtOnce()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        var first = await platform.StartWorkerAsync();
        var run = await platform.SubmitAsync(Slow);
        await platform.WaitAsync(run, v => v.Steps[0].Done >= 2);
        await platform.StartWorkerAsync();

        (await first.TerminateAsync()).ShouldBe(0);

        var seen = await platform.WaitAsync(run, v => v.Steps[0].State == StepState.Running && v.Steps[0].Attempts == 2);
        seen.Steps[0].Failure.ShouldBeNull();
        (await platform.EndAsync(run)).State.ShouldBe(RunState.Succeeded, platform.Log);
    }

    [Fact]
    public async Task Kill_OrchestratorInTheMiddle_RunGoesOnAfterItsRestart()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        await platform.StartWorkerAsync();
        var run = await platform.SubmitAsync(Slow);
        await platform.WaitAsync(run, v => v.Steps[0].Done >= 2);

        await platform.Orchestrator.KillAsync();
        await platform.StartOrchestratorAsync();
        var ended = await platform.EndAsync(run);

        ended.State.ShouldBe(RunState.Succeeded, platform.Log);
    }

    private static Task<EmbeddedPlatform> StartEmbeddedAsync() => EmbeddedPlatform.StartAsync(services: services => services
        .AddSingleton<INumericsClass, FixedNumerics>().AddSingleton<IStage, UnitsStage>());

    private static IEnumerable<string> Roots(RunView run) => run.Steps.Select(s => $"{s.Name} {s.State} {string.Join(',', s.Outputs.Values.Select(o => o.Root.Hex))}");
}
