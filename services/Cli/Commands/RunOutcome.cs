using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Cli.Commands;

/// <summary>How a run ended, for scripts and for the shell. The keys run, state, steps, attempts and root are relied on.</summary>
internal static class RunOutcome
{
    /// <summary>One step: its state, how often it was tried, and the root of what it made, or null.</summary>
    public static object Describe(StepView step) => new { step.State, step.Attempts, Root = RootOf(step), step.Kind, Key = step.Key?.Hex, step.Message, step.Outputs, step.Metrics };

    /// <summary>The model of a step, or whatever it made instead.</summary>
    public static string? RootOf(StepView step) =>
        (step.Outputs.TryGetValue(OutputNames.Model, out var model) ? model : step.Outputs.OrderBy(o => o.Key, StringComparer.Ordinal).Select(o => o.Value).FirstOrDefault())?.Root.Hex;

    /// <summary>Says on standard error why a run did not succeed.</summary>
    /// <param name="terminal">Where to.</param>
    /// <param name="run">The ended run.</param>
    /// <param name="hint">How to go on.</param>
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
