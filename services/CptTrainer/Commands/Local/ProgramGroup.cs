using System.Diagnostics;
using System.Text;
using Espalier.Contracts;

namespace Espalier.CptTrainer.Commands.Local;

/// <summary>
/// A program with all that it starts, as a session and process group of its own. The whole group ends with the program, on request, and
/// with this process, however that ends: a small supervisor reads a pipe from here, and kills the group when the pipe closes.
/// </summary>
public sealed class ProgramGroup
{
    // $! is the group: setsid, which is no group's leader here, becomes the leader of a new session and then the program.
    /// <summary>The small shell script that runs the program: <c>sh -c SCRIPT NAME PROGRAM ARGUMENTS</c>, with the pipe as standard input.</summary>
    public const string Supervisor = """
        exec 3<&0 </dev/null
        setsid "$@" 3<&- &
        group=$!
        { while read -r signal; do kill -s "$signal" -- "-$group"; done
          while kill -0 "$group" && ! kill -s KILL -- "-$group"; do :; done; } <&3 >/dev/null 2>&1 &
        watcher=$!
        wait "$group"
        code=$?
        kill -s KILL -- "-$group" "$watcher" 2>/dev/null
        exit "$code"
        """;

    private readonly TimeSpan _grace;
    private readonly Action<string> _line;

    /// <summary>A group that does not run yet.</summary>
    /// <param name="grace">How long the program may take to end when it is asked to.</param>
    /// <param name="line">Gets each line that it prints, on standard output and standard error, one at a time.</param>
    public ProgramGroup(TimeSpan grace, Action<string> line) => (_grace, _line) = (grace, line);

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Its exit code; 128 and the number of the signal that ended it.</returns>
    /// <exception cref="OperationCanceledException">It was asked to end, and has ended.</exception>
    /// <exception cref="UserInputException">There is no such program.</exception>
    public async Task<int> RunAsync(
        IReadOnlyList<string> command, string folder, IReadOnlyDictionary<string, string> environment, CancellationToken cancellationToken)
    {
        Require(command[0], folder);
        // In a session of its own, so that Ctrl-C at our terminal ends it by our request, and not under our hands.
        var start = new ProcessStartInfo("setsid", ["sh", "-c", Supervisor, "espalier", .. command])
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start) ?? throw new IOException($"'{command[0]}' did not start.");
        using var gate = new SemaphoreSlim(1);
        var reading = Task.WhenAll(ReadAsync(process.StandardOutput, gate), ReadAsync(process.StandardError, gate));
        try
        {
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await EndAsync(process).ConfigureAwait(false);
            throw;
        }
        // Whatever the group left behind is dead by now; only a process that made a session of its own can still hold the pipe.
        await Task.WhenAny(reading, Task.Delay(_grace, CancellationToken.None)).ConfigureAwait(false);
        return process.ExitCode;
    }

    private static void Require(string program, string folder)
    {
        var places = program.Contains('/', StringComparison.Ordinal)
            ? [folder]
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        if (!places.Any(place => File.Exists(Path.Combine(place, program))))
            throw new UserInputException(
                $"There is no program '{program}' on this worker. Install it where the worker runs, or name another in 'command'.");
    }

    private async Task EndAsync(Process process)
    {
        using var patience = new CancellationTokenSource(_grace);
        try
        {
            await process.StandardInput.WriteLineAsync("TERM").ConfigureAwait(false);
            await process.StandardInput.FlushAsync(patience.Token).ConfigureAwait(false);
            await process.WaitForExitAsync(patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            process.StandardInput.Close(); // kills the group
            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }

    private async Task ReadAsync(StreamReader output, SemaphoreSlim gate)
    {
        var lines = new BoundedLines(output);
        while (await lines.NextAsync().ConfigureAwait(false) is { } line)
        {
            await gate.WaitAsync().ConfigureAwait(false);
            try
            {
                _line(line);
            }
            finally
            {
                gate.Release();
            }
        }
    }
}
