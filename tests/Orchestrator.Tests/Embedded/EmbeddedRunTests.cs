using Espalier.Contracts;
using Espalier.Stages.Worker;
using Espalier.TestKit.Services.Embedded;

namespace Espalier.Orchestrator.Tests.Embedded;

public sealed class EmbeddedRunTests
{
    private const string Chain = """
        name: chain
        stages:
          a: { uses: noop, with: { text: one } }
          b: { uses: noop, needs: a, with: { text: two, from: "${a.model}" } }
          c: { uses: noop, needs: b, when: "b.loss < 1", with: { text: three } }
          d: { uses: noop, needs: b, when: "b.loss > 1", with: { text: four } }
        """;

    [Fact]
    public async Task Run_Chain_SucceedsAndIsCachedTheSecondTime()
    {
        await using var platform = await EmbeddedPlatform.StartAsync();

        var first = await platform.EndAsync(await platform.SubmitAsync(Chain));
        var second = await platform.EndAsync(await platform.SubmitAsync(Chain));

        first.State.ShouldBe(RunState.Succeeded, Describe(first));
        first.Steps.Select(s => s.State).ShouldBe([StepState.Succeeded, StepState.Succeeded, StepState.Succeeded, StepState.Skipped]);
        second.Steps.Select(s => s.State).ShouldBe([StepState.Cached, StepState.Cached, StepState.Cached, StepState.Skipped]);
        second.Steps[1].Outputs.ShouldBe(first.Steps[1].Outputs);
        platform.Hooks.RunsOf("a").ShouldBe(1);
    }

    [Fact]
    public async Task Run_FinishedStep_LeavesAReceiptAndNoCursor()
    {
        await using var platform = await EmbeddedPlatform.StartAsync();

        var run = await platform.EndAsync(await platform.SubmitAsync(Chain));

        var key = run.Steps[0].Key!.Value;
        var receipt = (await StepReceipt.FindAsync(platform.Artifacts, key, default))!;
        (receipt.Attempt, receipt.Kind, receipt.Metrics["loss"]).ShouldBe((1, "noop", 0.5));
        receipt.PeakMemoryBytes.ShouldBeGreaterThan(1 << 20);
        (await platform.Artifacts.Blobs.ReadRecordAsync($"cursors/{key.Hex}", default)).ShouldBeNull();
    }

    [Fact]
    public async Task Run_BlobOfACachedResultIsGone_TheWorkIsDoneAgain()
    {
        await using var platform = await EmbeddedPlatform.StartAsync();
        var first = await platform.EndAsync(await platform.SubmitAsync(Chain));
        var manifest = await platform.Artifacts.ReadAsync(first.Steps[0].Outputs["model"].Root, default);
        var blob = manifest.Files[0].Blob.Hex;
        foreach (var path in Directory.EnumerateFiles(platform.Folder.FullName, $"*{blob[4..]}*", SearchOption.AllDirectories))
            File.Delete(path);

        var second = await platform.EndAsync(await platform.SubmitAsync(Chain));

        second.Steps.Select(s => s.State).ShouldBe([StepState.Succeeded, StepState.Cached, StepState.Cached, StepState.Skipped]);
        second.Steps[0].Outputs.ShouldBe(first.Steps[0].Outputs);
    }

    [Theory]
    [InlineData("transient-once")]
    [InlineData("foreign-cancel")]
    public async Task Run_TransientFailure_IsTriedAgain(string behaviour)
    {
        await using var platform = await EmbeddedPlatform.StartAsync();

        var run = await platform.EndAsync(await platform.SubmitAsync(
            $$"""
            name: blink
            stages:
              a: { uses: noop, retry: { attempts: 2, backoff: 50ms }, with: { behaviour: {{behaviour}} } }
            """));

        run.State.ShouldBe(RunState.Succeeded, Describe(run));
        run.Steps[0].Attempts.ShouldBe(2);
    }

    [Fact]
    public async Task Run_UserError_FailsOnceWithItsMessage()
    {
        await using var platform = await EmbeddedPlatform.StartAsync();

        var run = await platform.EndAsync(await platform.SubmitAsync(
            """
            name: wrong
            stages:
              a: { uses: noop, with: { behaviour: user-error } }
              b: { uses: noop, needs: a }
            """));

        run.State.ShouldBe(RunState.Failed);
        (run.Steps[0].Attempts, run.Steps[0].Message).ShouldBe((1, "Set 'text' to something else."));
        run.Steps[1].State.ShouldBe(StepState.Skipped);
    }

    [Fact]
    public async Task Submit_UnknownOption_IsRejectedWithItsPlace()
    {
        await using var platform = await EmbeddedPlatform.StartAsync();

        var problems = await platform.RejectAsync(
            """
            name: wrong
            stages:
              a: { uses: noop, with: { tex: one } }
            """);

        problems.ShouldHaveSingleItem().Line.ShouldBe(3);
    }

    [Fact]
    public async Task Cancel_RunningStep_StopsAndResumeGoesOnFromTheCursor()
    {
        await using var platform = await EmbeddedPlatform.StartAsync(worker: w => w.HeartbeatInterval = TimeSpan.FromMilliseconds(200));
        var id = await platform.SubmitAsync(Waiting("cursor"));
        await platform.Hooks.Started.Task.WaitAsync(TimeSpan.FromSeconds(20));

        await platform.CancelAsync(id);
        var cancelled = await platform.EndAsync(id);
        await platform.ResumeAsync(id);
        var resumed = await platform.EndAsync(id);

        cancelled.State.ShouldBe(RunState.Cancelled);
        cancelled.Steps.ShouldAllBe(s => s.State == StepState.Cancelled);
        resumed.State.ShouldBe(RunState.Succeeded, Describe(resumed));
        resumed.Steps[0].Attempts.ShouldBe(2);
    }

    [Fact]
    public async Task Restart_RunningStep_IsGivenBackAndGoesOnFromTheLedger()
    {
        var folder = Directory.CreateTempSubdirectory("restart-");
        Guid id;
        await using (var before = await EmbeddedPlatform.StartAsync(folder))
        {
            id = await before.SubmitAsync(Waiting("cursor"));
            await before.Hooks.Started.Task.WaitAsync(TimeSpan.FromSeconds(20));
        }

        await using (var after = await EmbeddedPlatform.StartAsync(folder))
        {
            var run = await after.EndAsync(id);

            run.State.ShouldBe(RunState.Succeeded, Describe(run));
            (run.Steps[0].Attempts, run.Steps[1].Attempts).ShouldBe((2, 1));
            after.Hooks.RunsOf("a").ShouldBe(1, "the second attempt went on from the cursor of the first");
        }
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Run_FiftySteps_EveryStepRunsOnce()
    {
        await using var platform = await EmbeddedPlatform.StartAsync(worker: w => w.Slots = 4);
        var yaml = "name: wide\nstages:\n" + string.Join('\n', Enumerable.Range(0, 50).Select(i => $"  s{i}: {{ uses: noop, with: {{ text: t{i} }} }}"));

        var run = await platform.EndAsync(await platform.SubmitAsync(yaml));

        run.State.ShouldBe(RunState.Succeeded, Describe(run));
        run.Steps.ShouldAllBe(s => s.Attempts == 1);
    }

    private static string Waiting(string behaviour) =>
        $$"""
        name: waits
        stages:
          a: { uses: noop, with: { behaviour: {{behaviour}} } }
          b: { uses: noop, needs: a, with: { text: after } }
        """;

    private static string Describe(Espalier.Orchestrator.Ledger.RunView run) => string.Join("; ", run.Steps.Select(s => $"{s.Name}: {s.State} {s.Message}"));
}
