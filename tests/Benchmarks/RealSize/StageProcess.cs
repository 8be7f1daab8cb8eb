using System.Diagnostics;
using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.RealSize;

/// <summary>A process that does one <see cref="StageOrder"/>, so that its peak memory is that of the stage alone.</summary>
internal static class StageProcess
{
    /// <summary>Starts it, and waits for its answer.</summary>
    /// <param name="child">Program and arguments that start <see cref="StageChild"/>.</param>
    /// <param name="order">What it has to do.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<StageAnswer> RunAsync(IReadOnlyList<string> child, StageOrder order, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(child[0], child.Skip(1)) { RedirectStandardInput = true, RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        try
        {
            await process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(order, WireJson.Options)).ConfigureAwait(false);
            process.StandardInput.Close();
            var answer = await process.StandardOutput.ReadLineAsync(cancellationToken).ConfigureAwait(false);
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            return answer is null
                ? new StageAnswer { Failure = $"its process ended without an answer, with code {process.ExitCode}." }
                : JsonSerializer.Deserialize<StageAnswer>(answer, WireJson.Options)!;
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
    }
}
