using Espalier.Cli.Progress;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Cli.Tests.Progress;

public sealed class StepChangesTests
{
    [Fact]
    public void Show_StepThatIsHeldUp_SaysWhyOnce()
    {
        using var said = new StringWriter();
        var board = new PlainBoard(new Terminal(TextWriter.Null, said, isInteractive: false), TimeProvider.System);
        var changes = new StepChanges();

        changes.Show(board, Run(""));
        changes.Show(board, Run("The artifact store refuses access (403)."));
        changes.Show(board, Run("The artifact store refuses access (403)."));

        said.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries)
            .ShouldBe(["a (noop): waiting: The artifact store refuses access (403)."]);
    }

    [Fact]
    public void Show_StepsInLine_AreSilentAndAMissingWorkerIsNot()
    {
        using var said = new StringWriter();
        var board = new PlainBoard(new Terminal(TextWriter.Null, said, isInteractive: false), TimeProvider.System);
        var changes = new StepChanges();
        var ready = Run("").Steps[0] with { State = StepState.Ready };

        changes.Show(board, Run("") with { Steps = [ready with { Wait = new StepWait(WaitReason.Slots, "All 2 slots on cpu are taken.") }] });
        changes.Show(board, Run("") with { Steps = [ready with { Wait = new StepWait(WaitReason.Quota, "The quota is used up.") }] });

        said.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries).ShouldBe(["a (noop): ready: The quota is used up."]);
    }

    [Fact]
    public void Show_StepPutBackAndRunningAgainBeforeTheNextLook_StillSaysWhy()
    {
        using var said = new StringWriter();
        var board = new PlainBoard(new Terminal(TextWriter.Null, said, isInteractive: false), TimeProvider.System);
        var changes = new StepChanges();
        var cached = Run("").Steps[0] with { State = StepState.Cached };
        var running = cached with { State = StepState.Running, Attempts = 1 };
        var back = new StepStateChanged(Guid.Empty, "a", StepState.Ready, 0, "Its result is damaged; done again for step 'b'.");

        changes.Show(board, Run("") with { Steps = [cached] });
        foreach (var change in new[] { back, back, back with { State = StepState.Running, Attempt = 1, Message = "" } })
            changes.Show(board, change, "noop");
        changes.Show(board, Run("") with { Steps = [running] });

        said.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries)
            .ShouldBe(["a (noop): cached", "a (noop): ready: Its result is damaged; done again for step 'b'.", "a (noop): running"]);
    }

    [Fact]
    public void Show_EventOfWhatALookHasShown_IsNotSaidTwice()
    {
        using var said = new StringWriter();
        var board = new PlainBoard(new Terminal(TextWriter.Null, said, isInteractive: false), TimeProvider.System);
        var changes = new StepChanges();

        changes.Show(board, Run("Waits for an input that is made again."));
        changes.Show(board, new StepStateChanged(Guid.Empty, "a", StepState.Waiting, 0, "Waits for an input that is made again."), "noop");

        said.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries).Length.ShouldBe(1);
    }

    private static RunView Run(string message) => new(
        Guid.Empty, "run", "run.yaml", RunState.Queued, message, false, DateTimeOffset.UnixEpoch, null, null,
        [
            new StepView(
                "a", "noop", StepState.Waiting, 0, null, null, null, message, 0, 0, null, null, false, [],
                new Dictionary<string, ManifestRef>(), new Dictionary<string, double>()),
        ]);
}
