using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Cli.Commands;

/// <summary>How a run ended, for scripts and for the shell. The keys run, state, steps, attempts and root are relied on.</summary>
internal static class RunOutcome
{
    /// <summary>One step: its state, its number of attempts, and the root of its output, or null.</summary>
    public static object Describe(StepView step) =>
        new
        {
            step.State, step.Attempts, Root = RootOf(step), step.Kind, Key = step.Key?.Hex, step.Message, step.Wait, step.Outputs, step.Metrics, step.Notes,
        };

    /// <summary>The model that a step made, else its first output by name.</summary>
    public static string? RootOf(StepView step) =>
        (step.Outputs.TryGetValue(OutputNames.Model, out var model)
            ? model
            : step.Outputs.OrderBy(o => o.Key, StringComparer.Ordinal).Select(o => o.Value).FirstOrDefault())?.Root.Hex;

    /// <summary>Explains on standard error why a run did not succeed.</summary>
    /// <param name="terminal">Where to write.</param>
    /// <param name="run">The run, ended.</param>
    /// <param name="hint">What to do next.</param>
    public static int ExitCode(Terminal terminal, RunView run, string hint)
    {
        if (run.State == RunState.Succeeded)
            return ExitCodes.Done;
        foreach (var step in run.Steps.Where(s => s.State == StepState.Failed))
            terminal.Say($"{step.Name} failed: {step.Message}");
        terminal.Say(hint);
        if (run.State == RunState.Cancelled)
            return ExitCodes.Interrupted;
        return run.Steps.Where(s => s.State == StepState.Failed).All(s => s.Failure == FailureClass.User) ? ExitCodes.BadInput : ExitCodes.Failed;
    }
}
