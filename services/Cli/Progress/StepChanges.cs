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
            var now = (step.State, step.Attempts, step.State == StepState.Waiting ? step.Message : "");
            if (_seen.TryGetValue(step.Name, out var seen) && seen == now)
                continue;
            _seen[step.Name] = now;
            board.Change(new StepNews(step.Name, step.Kind, step.State, step.Attempts, step.Message, step.Ended - step.Started));
        }
    }
}
