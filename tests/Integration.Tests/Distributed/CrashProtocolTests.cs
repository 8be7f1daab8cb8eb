using System.Diagnostics;
using Espalier.Contracts;
using Espalier.FaultInjection;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Distributed;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>What the attempt protocol promises when something dies; single cases of what the crash matrix samples.</summary>
[Collection(ServersCollection.Name)]
public sealed class CrashProtocolTests(BrokerAndDatabase servers)
{
    [Fact]
    public async Task Kill_OneOfTwoOrchestrators_TheOtherGoesOn()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        var first = platform.Orchestrator;
        await platform.StartOrchestratorAsync();
        await platform.StartWorkerAsync();
        var run = await platform.SubmitAsync(Half(platform));
        await platform.WaitAsync(run, v => v.Steps[0].Done == 5);

        await first.KillAsync();
        platform.OpenGate();
        var ended = await platform.EndAsync(run);

        ended.State.ShouldBe(RunState.Succeeded, platform.Log);
        ended.Steps.Select(s => s.Attempts).ShouldBe([1, 1], "the worker never noticed");
    }

    [Fact]
    public async Task Kill_WorkerWithTheTimesOfProduction_NewAttemptRunsWithin20Seconds()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers, withDefaultTimes: true);
        var first = await platform.StartWorkerAsync();
        var run = await platform.SubmitAsync(Half(platform));
        await platform.WaitAsync(run, v => v.Steps[0].Done == 5);
        await platform.StartWorkerAsync();

        var clock = Stopwatch.StartNew();
        await first.KillAsync();
        await platform.WaitAsync(run, v => v.Steps[0].Attempts == 2 && v.Steps[0].State == StepState.Running);
        var took = clock.Elapsed;
        platform.OpenGate();

        took.ShouldBeLessThan(TimeSpan.FromSeconds(20));
        (await platform.EndAsync(run)).State.ShouldBe(RunState.Succeeded, platform.Log);
    }

    [Fact]
    public async Task Work_CrashesInNativeCodeTwice_IsParkedWithItsLastLinesAndTheWorkerLives()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        platform.Environment[Faults.Variable] = $"noop-work@{FaultPoints.WorkBegin}:1:abort";
        platform.Environment[Faults.RoleVariable] = "noop";
        platform.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        var worker = await platform.StartWorkerAsync();

        var ended = await platform.EndAsync(await platform.SubmitAsync(
            "name: crash\nstages:\n  a: { uses: noop, retry: { attempts: 9, backoff: 100ms }, with: { text: x } }\n"));

        (ended.State, ended.Steps[0].Failure, ended.Steps[0].Attempts).ShouldBe((RunState.Failed, FailureClass.Poison, 2), platform.Log);
        ended.Steps[0].Message.ShouldStartWith("Parked after 2 crashes of its work process.");
        ended.Steps[0].Message.ShouldContain("abort");
        ended.Steps[0].Message.ShouldContain($"Injected at {FaultPoints.WorkBegin}", Case.Sensitive, "its last lines");
        (await worker.TerminateAsync()).ShouldBe(0, worker.Log);
    }

    [Fact]
    public async Task Cancel_WorkThatDoesNotStop_IsEndedAfterItsGrace()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        platform.Environment[Faults.Variable] = $"noop-work@{FaultPoints.CursorSave}:6:delay:600000";
        platform.Environment[Faults.RoleVariable] = "noop";
        var worker = await platform.StartWorkerAsync("tests/TestKit/NoopService", ("worker:stop-grace", "00:00:01"));
        var run = await platform.SubmitAsync("name: stubborn\nstages:\n  a: { uses: noop, with: { text: stubborn, units: 10 } }\n");
        await platform.WaitAsync(run, v => v.Steps[0].Done == 5);

        var clock = Stopwatch.StartNew();
        await platform.CancelAsync(run);
        var ended = await platform.EndAsync(run);

        ended.State.ShouldBe(RunState.Cancelled, platform.Log);
        ended.Steps[0].Message.ShouldContain("its work was ended after 1 s");
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(15));
        (await worker.TerminateAsync()).ShouldBe(0, worker.Log);
    }

    [Fact]
    public async Task Run_WideMatrixAndTwoWorkers_ShareTheLoad()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        await Task.WhenAll(platform.StartWorkerAsync(), platform.StartWorkerAsync());

        var ended = await platform.EndAsync(await platform.SubmitAsync(
            """
            name: wide
            stages:
              leaf: { uses: noop, matrix: { text: [a, b, c, d, e, f, g, h], units: [20, 30] }, with: { text: "${matrix.text}", units: "${matrix.units}" } }
            """));

        ended.State.ShouldBe(RunState.Succeeded, platform.Log);
        ended.Steps.Count.ShouldBe(16);
        var byWorker = ended.Steps.GroupBy(s => s.Worker).Select(g => g.Count()).ToList();
        byWorker.Count.ShouldBe(2);
        byWorker.Min().ShouldBeGreaterThan(2, "neither worker does it alone");
    }

    [Fact]
    public async Task Start_BrokerAway_TheServiceWaitsForItAndThenWorks()
    {
        await using var platform = await DistributedPlatform.StartAsync(servers);
        await servers.Broker.CrashAsync();

        var starting = platform.StartWorkerAsync();
        await servers.Broker.StartAsync();
        var worker = await starting;
        var run = await platform.SubmitAsync("name: patient\nstages:\n  a: { uses: noop, with: { text: y } }\n");

        worker.Log.ShouldContain("Connection Failed", Case.Sensitive, "it says what it waits for");
        (await platform.EndAsync(run)).State.ShouldBe(RunState.Succeeded, platform.Log);
    }

    private static string Half(DistributedPlatform platform) =>
        $$"""
        name: half
        stages:
          work: { uses: noop, with: { text: half, units: 10, gate: "{{platform.Gate}}" } }
          next: { uses: noop, needs: work, with: { text: next, from: "${work.model}" } }
        """;
}
