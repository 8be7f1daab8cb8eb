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

    private static RunView Run(string message) => new(
        Guid.Empty, "run", "run.yaml", RunState.Queued, message, false, DateTimeOffset.UnixEpoch, null, null,
        [
            new StepView(
                "a", "noop", StepState.Waiting, 0, null, null, null, message, 0, 0, null, null, false, [],
                new Dictionary<string, ManifestRef>(), new Dictionary<string, double>()),
        ]);
}
