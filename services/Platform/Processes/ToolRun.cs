using System.Diagnostics;
using Espalier.Contracts;

namespace Espalier.Platform.Processes;

/// <summary>Runs a program to its end.</summary>
internal static class ToolRun
{
    /// <summary>Runs a program and returns its output.</summary>
    /// <exception cref="UserInputException">It is missing or failed; with the last lines of its output.</exception>
    public static async Task<string> RunAsync(
        IReadOnlyList<string> command, string? folder, IReadOnlyDictionary<string, string>? environment, CancellationToken cancellationToken)
    {
        var (code, output) = await TryAsync(command, folder, environment, cancellationToken).ConfigureAwait(false);
        if (code == 0)
            return output;
        var last = string.Join(Environment.NewLine, output.Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(8));
        throw new UserInputException($"'{string.Join(' ', command)}' ended with {code}:{Environment.NewLine}{last}");
    }

    /// <summary>Runs a program and returns its exit code and output.</summary>
    public static async Task<(int Code, string Output)> TryAsync(
        IReadOnlyList<string> command, string? folder, IReadOnlyDictionary<string, string>? environment, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
            WorkingDirectory = folder ?? Environment.CurrentDirectory,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new UserInputException($"The program '{command[0]}' is missing: {e.Message}.", e);
        }
        using (process)
        {
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var error = process.StandardError.ReadToEndAsync(cancellationToken);
            try
            {
                await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                throw;
            }
            return (process.ExitCode, await output.ConfigureAwait(false) + await error.ConfigureAwait(false));
        }
    }
}
