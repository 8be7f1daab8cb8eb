using Espalier.Contracts;
using Espalier.Orchestrator.Repair;

namespace Espalier.Cli.Verification;

/// <summary>The commands by which what is missing is made again.</summary>
/// <param name="isEmbedded">Whether runs are runs of a process, not of a platform.</param>
internal sealed class RunAgain(bool isEmbedded)
{
    /// <summary>The command that goes on with a run, or does it again; null for one that the orchestrator goes on with.</summary>
    public string? CommandOf(LedgerRun run) => run.State switch
    {
        RunState.Queued or RunState.Running => isEmbedded ? $"espalier resume {run.RunId:N}" : null,
        RunState.Failed or RunState.Cancelled => $"espalier resume {run.RunId:N}",
        _ => $"espalier {(isEmbedded ? "run" : "submit")} {Quote(run.Pipeline ?? run.FileName)}{ParametersOf(run)}",
    };

    private static string ParametersOf(LedgerRun run) =>
        string.Concat(run.Parameters.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $" --param {Quote($"{p.Key}={p.Value}")}"));

    private static string Quote(string text) =>
        text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or '=' or ':' or '@' or '+' or ',')
            ? text
            : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
