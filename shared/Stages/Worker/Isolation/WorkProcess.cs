using System.Diagnostics;
using System.Reflection;
using Espalier.FaultInjection;

namespace Espalier.Stages.Worker.Isolation;

/// <summary>
/// The same program as this one, started as a work process: orders by its standard input, reports by its standard output,
/// everything else by its standard error. It ends when its standard input does, so it never outlives the worker.
/// </summary>
internal sealed class WorkProcess : IAsyncDisposable
{
    private const int LinesKept = 200;
    private readonly Process _process;
    private readonly Queue<string> _lines = new();
    private readonly Task _errors;
    private readonly SemaphoreSlim _sending = new(1, 1);

    private WorkProcess(Process process, int? device)
    {
        (_process, Device) = (process, device);
        _errors = Task.Run(KeepErrorsAsync);
    }

    /// <summary>Attempts that it has done.</summary>
    public int Attempts { get; set; }

    /// <summary>Which device of the worker's it sees; null when it chooses none.</summary>
    public int? Device { get; }

    /// <summary>Whether it can take another attempt.</summary>
    public bool IsAlive => !_process.HasExited;

    /// <summary>Id of the process.</summary>
    public int Id => _process.Id;

    /// <summary>The last lines that it wrote to standard error.</summary>
    public IReadOnlyList<string> LastLines
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    /// <summary>How to start this program as a work process.</summary>
    public static IReadOnlyList<string> OwnCommand()
    {
        var program = Environment.ProcessPath!;
        string[] entry = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [program, Assembly.GetEntryAssembly()!.Location] : [program];
        return [.. entry, StageWorkProcess.Verb, .. Environment.GetCommandLineArgs().Skip(1)];
    }

    /// <summary>Starts one, with these variables besides those of this process.</summary>
    public static WorkProcess Start(IReadOnlyList<string> command, IEnumerable<KeyValuePair<string, string>> environment, int? device)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        };
        if (Environment.GetEnvironmentVariable(Faults.RoleVariable) is { Length: > 0 } role)
            start.Environment[Faults.RoleVariable] = $"{role}-work";
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return new WorkProcess(Process.Start(start) ?? throw new IOException($"'{command[0]}' did not start."), device);
    }

    /// <summary>Sends an order; false when the process is gone.</summary>
    public async Task<bool> SendAsync(WorkOrder order)
    {
        // A lease and a stop may be told at the same time; the stream takes one writer.
        await _sending.WaitAsync().ConfigureAwait(false);
        try
        {
            await _process.StandardInput.WriteLineAsync(WorkLine.Write(order)).ConfigureAwait(false);
            await _process.StandardInput.FlushAsync().ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            return false;
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>The next report, or null when the process is gone.</summary>
    public async Task<WorkReport?> ReceiveAsync() =>
        await _process.StandardOutput.ReadLineAsync().ConfigureAwait(false) is { } line ? WorkLine.Read<WorkReport>(line) : null;

    /// <summary>Ends it now.</summary>
    public void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It ended by itself.
        }
    }

    /// <summary>Waits for its end; its exit code, 128 + N for signal N.</summary>
    public async Task<int> EndAsync()
    {
        await _process.WaitForExitAsync().ConfigureAwait(false);
        await _errors.ConfigureAwait(false);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        Kill();
        await EndAsync().ConfigureAwait(false);
        _process.Dispose();
    }

    /// <summary>Keeps the last lines for the report of a crash, and hands every line on to the worker's own standard error.</summary>
    private async Task KeepErrorsAsync()
    {
        while (await _process.StandardError.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            lock (_lines)
            {
                _lines.Enqueue(line);
                if (_lines.Count > LinesKept)
                    _lines.Dequeue();
            }
            await Console.Error.WriteLineAsync(line).ConfigureAwait(false);
        }
    }
}
