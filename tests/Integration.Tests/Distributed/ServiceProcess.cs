using System.Diagnostics;
using System.Text.Json;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>One of our services as a process of its own: <c>dotnet Espalier.NAME.dll</c>.</summary>
internal sealed class ServiceProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ServiceProcess(Process process) => _process = process;

    /// <summary>Where it answers.</summary>
    public Uri Address => _address.Task.Result;

    /// <summary>What it has logged.</summary>
    public string Log
    {
        get
        {
            lock (_lines)
                return string.Join('\n', _lines);
        }
    }

    /// <summary>Starts a service and waits until it is ready.</summary>
    public static async Task<ServiceProcess> StartAsync(string assembly, IReadOnlyDictionary<string, string> settings)
    {
        var path = Path.Combine(AppContext.BaseDirectory, $"{assembly}.dll");
        var start = new ProcessStartInfo("dotnet", [path, .. settings.Select(s => $"--{s.Key}={s.Value}")])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = AppContext.BaseDirectory,
        };
        var service = new ServiceProcess(Process.Start(start)!);
        service._process.EnableRaisingEvents = true;
        service._process.Exited += (_, _) => service._address.TrySetException(new InvalidOperationException($"{assembly} ended:\n{service.Log}"));
        service._process.OutputDataReceived += (_, line) => service.Take(line.Data);
        service._process.ErrorDataReceived += (_, line) => service.Take(line.Data);
        service._process.BeginOutputReadLine();
        service._process.BeginErrorReadLine();
        try
        {
            await service._address.Task.WaitAsync(StartLimit);
            await service.WaitUntilReadyAsync();
            return service;
        }
        catch (Exception e) when (e is TimeoutException or TaskCanceledException)
        {
            var log = service.Log;
            await service.DisposeAsync();
            throw new InvalidOperationException($"{assembly} is not ready:\n{log}", e);
        }
    }

    /// <summary>Ends it at once, as a crash does.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Asks it to end, as an operator does.</summary>
    public async Task<int> TerminateAsync()
    {
        using (var kill = Process.Start("kill", ["-s", "TERM", $"{_process.Id}"]))
            await kill.WaitForExitAsync();
        await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(40));
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await KillAsync();
        _process.Dispose();
    }

    private async Task WaitUntilReadyAsync()
    {
        using var limit = new CancellationTokenSource(StartLimit);
        using var client = new HttpClient { BaseAddress = Address };
        while (true)
        {
            using var answer = await client.GetAsync("/readyz", limit.Token);
            if (answer.IsSuccessStatusCode)
                return;
            await Task.Delay(50, limit.Token);
        }
    }

    private void Take(string? line)
    {
        if (line is null)
            return;
        lock (_lines)
            _lines.Add(line);
        const string Listening = "Now listening on: ";
        if (!_address.Task.IsCompleted && line.StartsWith('{') && line.Contains(Listening, StringComparison.Ordinal))
        {
            var message = JsonDocument.Parse(line).RootElement.GetProperty("message").GetString()!;
            _address.TrySetResult(new Uri(message[(message.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..]));
        }
    }
}
