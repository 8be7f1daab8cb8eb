using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Cli.Progress;

/// <summary>Shows what has changed in a run's steps since the last look.</summary>
internal sealed class StepChanges
{
    private readonly Dictionary<string, (StepState State, int Attempt, string Held)> _seen = [];

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
