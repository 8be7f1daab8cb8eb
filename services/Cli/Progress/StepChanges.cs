using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Cli.Progress;

/// <summary>Shows what has changed in a run's steps since the last look.</summary>
internal sealed class StepChanges
{
    private readonly Dictionary<string, (StepState State, int Attempt, string Held)> _seen = [];
    private readonly HashSet<StepStateChanged> _shown = [];

    /// <summary>
    /// Shows why a step was put back or waits, from the event that says so: by the next look it may be running again.
    /// </summary>
    /// <param name="board">Where it is shown.</param>
    /// <param name="change">The event.</param>
    /// <param name="kind">The step's stage kind, or null if that is not known.</param>
    public void Show(IStepBoard board, StepStateChanged change, string? kind)
    {
        if (kind is null || change is not { State: StepState.Waiting or StepState.Ready, Message: not "" } || !_shown.Add(change))
            return;
        _seen[change.Step] = (change.State, change.Attempt, change.Message);
        board.Change(new StepNews(change.Step, kind, change.State, change.Attempt, change.Message, null));
    }

    /// <summary>Shows the steps whose state or attempt differs from the last look, and why steps wait that could otherwise go on.</summary>
    public void Show(IStepBoard board, RunView run)
    {
        foreach (var step in run.Steps)
        {
            var message = MessageOf(step);
            var now = (step.State, step.Attempts, step.State is StepState.Waiting or StepState.Ready ? message : "");
            if (_seen.TryGetValue(step.Name, out var seen) && seen == now)
                continue;
            _seen[step.Name] = now;
            _shown.Add(new StepStateChanged(run.RunId, step.Name, step.State, step.Attempts, message));
            board.Change(new StepNews(step.Name, step.Kind, step.State, step.Attempts, message, step.Ended - step.Started));
        }
    }

    // Steps that stand in line for a slot are many and say nothing new; why an attempt failed matters more than the pause after it.
    private static string MessageOf(StepView step) => step switch
    {
        { State: StepState.Waiting } => step.Wait is { IsHeld: true } wait ? wait.Text : step.Message,
        { State: StepState.Ready, Attempts: 0 } => step.Wait is { IsHeld: true, Reason: not WaitReason.Slots } wait ? wait.Text : "",
        _ => step.Message,
    };
}
