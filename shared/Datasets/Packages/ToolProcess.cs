using System.ComponentModel;
using System.Diagnostics;

namespace Espalier.Datasets.Packages;

/// <summary>Runs a command-line tool without a shell and ends it with its children when the caller gives up.</summary>
internal static class ToolProcess
{
    private const int ShownErrorCharacters = 600;

    /// <summary>Runs a tool to its end; its standard output goes to <paramref name="output"/>.</summary>
    /// <exception cref="ToolFailedException">The tool is missing, or its exit code is not 0.</exception>
    public static async Task RunAsync(
        string tool, IReadOnlyList<string> arguments, string workingDirectory, Func<Stream, Task> output, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(tool, arguments)
        {
            WorkingDirectory = workingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Start(start);
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync(cancellationToken);
        try
        {
            await output(process.StandardOutput.BaseStream).ConfigureAwait(false);
            await process.StandardOutput.BaseStream.CopyToAsync(Stream.Null, cancellationToken).ConfigureAwait(false);
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
        if (process.ExitCode != 0)
        {
            var text = (await errors.ConfigureAwait(false)).Trim();
            throw new ToolFailedException(tool, text.Length <= ShownErrorCharacters ? text : "..." + text[^ShownErrorCharacters..]);
        }
    }

    /// <summary>As above, without looking at the output.</summary>
    public static Task RunAsync(string tool, IReadOnlyList<string> arguments, string workingDirectory, CancellationToken cancellationToken) =>
        RunAsync(tool, arguments, workingDirectory, stream => stream.CopyToAsync(Stream.Null, cancellationToken), cancellationToken);

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start) ?? throw new ToolFailedException(start.FileName, "it did not start");
        }
        catch (Win32Exception exception)
        {
            throw new ToolFailedException(start.FileName, $"cannot be started ({exception.Message}); is it installed?");
        }
    }
}

/// <summary>A command-line tool failed.</summary>
internal sealed class ToolFailedException(string tool, string problem) : IOException($"{tool}: {problem}");
