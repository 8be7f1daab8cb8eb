using Espalier.Platform.Processes;

namespace Espalier.Platform.Tests;

public sealed class SupervisedProcessTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60), Grace = TimeSpan.FromSeconds(10);
    private readonly TemporaryHome _home = new();

    public void Dispose() => _home.Dispose();

    [Fact]
    public async Task Start_ProcessThatEnds_IsStartedAgain()
    {
        var restarted = new TaskCompletionSource();
        SupervisedProcess process = null!;
        process = new SupervisedProcess(Plan("exit 1"), _home.Platform, () => TellWhen(process.State.Restarts > 0, restarted), _ => { });

        process.Start();

        await restarted.Task.WaitAsync(Limit);
        await process.StopAsync(Grace);
    }

    [Fact]
    public async Task Start_ServiceThatRefusesItsSettings_FailsWithTheEndOfItsLog()
    {
        var process = new SupervisedProcess(Plan("echo store:location is missing; exit 2"), _home.Platform, () => { }, _ => { });

        process.Start();

        var error = await Should.ThrowAsync<InvalidOperationException>(() => process.Ready.WaitAsync(Limit));
        error.Message.ShouldContain("store:location is missing");
        process.State.Restarts.ShouldBe(0);
        await process.StopAsync(Grace);
    }

    [Fact]
    public async Task Stop_RunningProcess_EndsItAndItsChildren()
    {
        var started = new TaskCompletionSource();
        SupervisedProcess process = null!;
        process = new SupervisedProcess(Plan("sleep 1000"), _home.Platform, () => TellWhen(process.State.Process is not null, started), _ => { });
        process.Start();
        await started.Task.WaitAsync(Limit);
        var identity = process.State.Process!;

        await process.StopAsync(Grace);

        identity.IsAlive.ShouldBeFalse();
        process.State.Process.ShouldBeNull();
    }

    [Fact]
    public void IsAlive_SameIdButAnotherStart_IsFalse()
    {
        var self = ProcessIdentity.Of(Environment.ProcessId)!;

        self.IsAlive.ShouldBeTrue();
        (self with { StartedTicks = self.StartedTicks + 1 }).IsAlive.ShouldBeFalse();
        (self with { Boot = "another" }).IsAlive.ShouldBeFalse();
    }

    private static void TellWhen(bool isSo, TaskCompletionSource source)
    {
        if (isSo)
            source.TrySetResult();
    }

    /// <summary>A shell command that is never ready: nothing listens on its port.</summary>
    private static ProcessPlan Plan(string script) => new()
    {
        Name = "demo",
        Kind = ProcessKinds.Service,
        Command = ["sh", "-c", script],
        Probe = "tcp://127.0.0.1:1",
    };
}
