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
    private bool _isDisposed;

    /// <summary>Starts it.</summary>
    /// <param name="name">Its name, and the role by which faults find it.</param>
    /// <param name="project">Folder of its project.</param>
    /// <param name="settings">Its settings.</param>
    /// <param name="faults">Folder of the faults.</param>
    /// <param name="around">Where it runs.</param>
    public SupervisedService(string name, string project, IEnumerable<KeyValuePair<string, string>> settings, string faults, Surroundings around)
    {
        Name = name;
        Address = new Uri($"http://127.0.0.1:{ServerProcess.FreePort()}");
        _client = new HttpClient { BaseAddress = Address, Timeout = TimeSpan.FromSeconds(5) };
        _command =
        [
            .. around.Prefix, "dotnet", Repository.Assembly(project), $"--http:url={Address.OriginalString}", .. settings.Select(s => $"--{s.Key}={s.Value}"),
        ];
        _environment = new()
        {
            ["ESPALIER_FAULT"] = $"watch:{faults}",
            ["ESPALIER_FAULT_ROLE"] = name,
            ["DOTNET_gcServer"] = "0",
            ["DOTNET_DbgEnableMiniDump"] = "0",
        };
        foreach (var (variable, value) in around.Environment)
            _environment[variable] = value;
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

    /// <summary>Whether a probe is answered well, and what the answer says; an empty text when nobody answers.</summary>
    public async Task<(bool IsWell, string Text)> AskAsync(string path)
    {
        try
        {
            using var answer = await _client.GetAsync(path);
            return (answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return (false, "");
        }
    }

    /// <summary>Asks it to end, as an operator does, and starts it no more; its exit code.</summary>
    public async Task<int> DrainAsync(TimeSpan limit)
    {
        await _stopping.CancelAsync();
        await _process.SignalAsync("TERM");
        return await _process.WaitForExitAsync(limit);
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

    /// <summary>Kills it and its work process, the whole group, and starts it no more.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
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
            _logBefore = output.Length <= 8000 ? output : output[^8000..];
            await _process.DisposeAsync();
            await Task.Delay(RestartPause);
            if (_stopping.IsCancellationRequested)
                return;
            _process = Start();
            Restarts++;
        }
    }
}
