using System.Diagnostics;
using Espalier.TestKit.Servers;

namespace Espalier.CrashMatrix;

/// <summary>One service as a process that is started again whenever it ends, as under any supervisor.</summary>
internal sealed class SupervisedService : IAsyncDisposable
{
    private static readonly TimeSpan ReadyLimit = TimeSpan.FromSeconds(180);
    private static readonly TimeSpan RestartPause = TimeSpan.FromMilliseconds(200);
    private readonly string[] _command;
    private readonly Dictionary<string, string> _environment;
    private readonly HttpClient _client;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _supervising;
    private ServerProcess _process;
    private string _logBefore = "";

    /// <summary>Starts it.</summary>
    public SupervisedService(string name, string project, IEnumerable<KeyValuePair<string, string>> settings, string faults)
    {
        Name = name;
        Address = new Uri($"http://127.0.0.1:{ServerProcess.FreePort()}");
        _client = new HttpClient { BaseAddress = Address, Timeout = TimeSpan.FromSeconds(5) };
        _command = ["dotnet", Repository.Assembly(project), $"--http:url={Address.OriginalString}", .. settings.Select(s => $"--{s.Key}={s.Value}")];
        _environment = new()
        {
            ["ESPALIER_FAULT"] = $"watch:{faults}",
            ["ESPALIER_FAULT_ROLE"] = name,
            ["DOTNET_gcServer"] = "0",
            ["DOTNET_DbgEnableMiniDump"] = "0",
        };
        _process = Start();
        _supervising = SuperviseAsync();
    }

    public string Name { get; }

    public Uri Address { get; }

    /// <summary>How often it was started again.</summary>
    public int Restarts { get; private set; }

    /// <summary>The last of what it has logged.</summary>
    public string Log => _logBefore + _process.Output;

    /// <summary>Sends it a signal.</summary>
    public async Task SignalAsync(string signal)
    {
        try
        {
            await _process.SignalAsync(signal);
        }
        catch (InvalidOperationException)
        {
            // It ended by itself in this moment.
        }
    }

    /// <summary>Kills its work process; false when it has none.</summary>
    public async Task<bool> KillWorkAsync()
    {
        var parent = await _process.Id;
        foreach (var folder in Directory.EnumerateDirectories("/proc").Where(d => int.TryParse(Path.GetFileName(d), out _)))
        {
            try
            {
                var parts = (await File.ReadAllTextAsync(Path.Combine(folder, "stat"))).Split(") ")[^1].Split(' ');
                if (parts[1] != $"{parent}"
                    || !(await File.ReadAllTextAsync(Path.Combine(folder, "cmdline"))).Contains("work-process", StringComparison.Ordinal))
                    continue;
                using var process = Process.GetProcessById(int.Parse(Path.GetFileName(folder), System.Globalization.CultureInfo.InvariantCulture));
                process.Kill();
                return true;
            }
            catch (Exception e) when (e is IOException or ArgumentException or InvalidOperationException or UnauthorizedAccessException)
            {
                // A process that ended while it was looked at.
            }
        }
        return false;
    }

    /// <summary>Waits until it says that it is ready.</summary>
    public async Task WaitUntilReadyAsync()
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using var answer = await _client.GetAsync("/readyz");
                if (answer.IsSuccessStatusCode)
                    return;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                // It is starting.
            }
            if (clock.Elapsed > ReadyLimit)
                throw new TimeoutException($"{Name} is not ready:\n{Log}");
            await Task.Delay(50);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _process.DisposeAsync();
        await _supervising;
        _client.Dispose();
        _stopping.Dispose();
    }

    private ServerProcess Start() => ServerProcess.Start("KILL", _environment, _command);

    private async Task SuperviseAsync()
    {
        while (true)
        {
            try
            {
                await _process.WaitForExitAsync(Timeout.InfiniteTimeSpan);
            }
            catch (InvalidOperationException) when (_stopping.IsCancellationRequested)
            {
                return; // it was stopped and let go of meanwhile
            }
            if (_stopping.IsCancellationRequested)
                return;
            var output = _process.Output;
            _logBefore = output.Length <= 4000 ? output : output[^4000..];
            await _process.DisposeAsync();
            await Task.Delay(RestartPause);
            if (_stopping.IsCancellationRequested)
                return;
            _process = Start();
            Restarts++;
        }
    }
}
