using System.Text.Json;
using Espalier.TestKit.Servers;

namespace Espalier.TestKit.Services.Distributed;

/// <summary>A service in its own process: <c>dotnet Espalier.NAME.dll</c>.</summary>
public sealed class ServiceProcess : IAsyncDisposable
{
    private const string Listening = "Now listening on: ";
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(100);
    private readonly ServerProcess _process;
    private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ServiceProcess(ServerProcess process)
    {
        _process = process;
        _process.LineWritten += Take;
    }

    /// <summary>Its address.</summary>
    public Uri Address => _address.Task.Result;

    /// <summary>Id of its process.</summary>
    public Task<int> Id => _process.Id;

    /// <summary>What it has logged.</summary>
    public string Log => _process.Output;

    /// <summary>Starts a service and waits until it is ready.</summary>
    /// <param name="project">Folder of its project, such as <c>services/Pruner</c>.</param>
    /// <param name="settings">Its settings.</param>
    /// <param name="environment">Its environment, beside that of the tests.</param>
    public static async Task<ServiceProcess> StartAsync(
        string project, IReadOnlyDictionary<string, string> settings, IReadOnlyDictionary<string, string>? environment = null)
    {
        var path = Repository.Assembly(project);
        var service = new ServiceProcess(ServerProcess.Start(
            "KILL", environment ?? new Dictionary<string, string>(), ["dotnet", path, .. settings.Select(s => $"--{s.Key}={s.Value}")]));
        try
        {
            await service.WaitUntilReadyAsync();
            return service;
        }
        catch (Exception e) when (e is TimeoutException or TaskCanceledException)
        {
            var log = service.Log;
            await service.DisposeAsync();
            throw new InvalidOperationException($"{project} is not ready:\n{log}", e);
        }
    }

    /// <summary>Sends SIGKILL.</summary>
    public async Task KillAsync()
    {
        await _process.SignalAsync("KILL");
        await _process.WaitForExitAsync(StartLimit);
    }

    /// <summary>Sends SIGTERM, as an operator does, and returns the exit code.</summary>
    public async Task<int> TerminateAsync()
    {
        await _process.SignalAsync("TERM");
        return await _process.WaitForExitAsync(StartLimit);
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private async Task WaitUntilReadyAsync()
    {
        await _address.Task.WaitAsync(StartLimit);
        using var limit = new CancellationTokenSource(StartLimit);
        using var client = new HttpClient { BaseAddress = Address };
        while (true)
        {
            using var answer = await client.GetAsync("/readyz", limit.Token);
            if (answer.IsSuccessStatusCode)
                return;
            await Task.Delay(100, limit.Token);
        }
    }

    private void Take(string line)
    {
        if (_address.Task.IsCompleted || !line.StartsWith('{') || !line.Contains(Listening, StringComparison.Ordinal))
            return;
        var message = JsonDocument.Parse(line).RootElement.GetProperty("message").GetString()!;
        _address.TrySetResult(new Uri(message[(message.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..]));
    }
}
