using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Espalier.TestKit.Servers;

/// <summary>
/// A program that ends with its test: a shell reads from a pipe, and when the pipe closes, even because the test host was
/// killed, it kills the program's whole process group.
/// </summary>
public sealed class ServerProcess : IAsyncDisposable
{
    private const string Guard =
        """
        trap : TERM INT HUP
        setsid "$@" & child=$!
        echo "guarded $child"
        cat >/dev/null
        kill -s "$STOP_SIGNAL" -- -$child 2>/dev/null
        wait $child 2>/dev/null
        """;
    private const string Announces = "guarded ";
    private readonly Process _guard;
    private readonly TaskCompletionSource<int> _id = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly StringBuilder _output = new();
    private readonly Lock _gate = new();

    private ServerProcess(Process guard) => _guard = guard;

    /// <summary>What the program has written.</summary>
    public string Output
    {
        get
        {
            lock (_gate)
                return _output.ToString();
        }
    }

    /// <summary>Id of the program's process.</summary>
    public Task<int> Id => _id.Task;

    /// <summary>Raised for every line that the program writes.</summary>
    public event Action<string>? LineWritten;

    /// <summary>Starts a program.</summary>
    public static ServerProcess Start(string stopSignal, IReadOnlyDictionary<string, string> environment, params string[] command)
    {
        var start = new ProcessStartInfo("sh", ["-c", Guard, "guard", .. command])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Path.GetTempPath(),
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        start.Environment["STOP_SIGNAL"] = stopSignal;
        var server = new ServerProcess(Process.Start(start) ?? throw new InvalidOperationException($"'{command[0]}' did not start."));
        server._guard.OutputDataReceived += server.Keep;
        server._guard.ErrorDataReceived += server.Keep;
        server._guard.BeginOutputReadLine();
        server._guard.BeginErrorReadLine();
        return server;
    }

    /// <summary>A port of the loopback address that no other test gets.</summary>
    public static int FreePort() => FreePorts.Take();

    /// <summary>Waits until a port answers.</summary>
    public async Task WaitForPortAsync(int port, TimeSpan limit)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException)
            {
                if (_guard.HasExited || clock.Elapsed > limit)
                    throw new InvalidOperationException($"The server did not answer on port {port}:{Environment.NewLine}{Output}");
                await Task.Delay(50);
            }
        }
    }

    /// <summary>Runs a program to its end.</summary>
    public static async Task RunAsync(params string[] command)
    {
        using var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"'{string.Join(' ', command)}' ended with {process.ExitCode}: {await output}{await error}");
    }

    /// <summary>Sends a signal to the program itself.</summary>
    public async Task SignalAsync(string signal) => await RunAsync("kill", "-s", signal, $"{await _id.Task}");

    /// <summary>Waits until the program has ended; its exit code.</summary>
    public async Task<int> WaitForExitAsync(TimeSpan limit)
    {
        // The guard waits for the end of its pipe, then for the program.
        var id = await _id.Task;
        var clock = Stopwatch.StartNew();
        while (Directory.Exists($"/proc/{id}") && !await IsZombieAsync(id))
        {
            if (limit != Timeout.InfiniteTimeSpan && clock.Elapsed > limit)
                throw new TimeoutException($"Process {id} does not end:{Environment.NewLine}{Output}");
            await Task.Delay(20);
        }
        _guard.StandardInput.Close();
        await _guard.WaitForExitAsync();
        return _guard.ExitCode;
    }

    /// <summary>Stops the program.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_guard.HasExited)
        {
            _guard.Dispose();
            return;
        }
        _guard.StandardInput.Close();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        try
        {
            await _guard.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            _guard.Kill(entireProcessTree: true);
        }
        _guard.Dispose();
    }

    private static async Task<bool> IsZombieAsync(int id)
    {
        try
        {
            return (await File.ReadAllTextAsync($"/proc/{id}/stat")).Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return true;
        }
    }

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is not { } text)
            return;
        if (!_id.Task.IsCompleted && text.StartsWith(Announces, StringComparison.Ordinal))
        {
            _id.SetResult(int.Parse(text.AsSpan(Announces.Length), System.Globalization.CultureInfo.InvariantCulture));
            return;
        }
        lock (_gate)
            _output.AppendLine(text);
        LineWritten?.Invoke(text);
    }
}
