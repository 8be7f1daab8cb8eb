using Espalier.Platform.Processes;
using Espalier.Contracts;

namespace Espalier.Platform;

/// <summary>
/// Runs the platform of a home until it is stopped: servers first, then services. Restarts what ends and records what is
/// running. A home has one supervisor at a time.
/// </summary>
public sealed class Supervisor(EspalierHome home, Action<string> say)
{
    private static readonly TimeSpan StopServices = TimeSpan.FromSeconds(30), StopServers = TimeSpan.FromSeconds(30);
    private readonly PlatformHome _folders = new PlatformHome(home).Create();
    private readonly Lock _gate = new();
    private readonly List<SupervisedProcess> _servers = [], _services = [];
    private PlatformState? _state;

    /// <summary>Runs until the token is cancelled, then stops everything in order.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var claim = Claim();
        var settings = PrivateFile.Read<PlatformSettings>(_folders.SettingsFile) ?? new PlatformSettings();
        var plan = PlatformPlan.Create(home, settings, PrivateFile.Read<WantedPlatform>(_folders.WantedFile) ?? new WantedPlatform());
        _state = new PlatformState
        {
            Supervisor = ProcessIdentity.Of(Environment.ProcessId)!, Orchestrator = plan.Orchestrator, Registry = plan.Registry, Key = plan.Key,
            StoreLocation = plan.StoreLocation, RegistryDatabase = plan.RegistryDatabase, LedgerDatabase = plan.LedgerDatabase,
        };
        try
        {
            await StartAsync(plan, settings, stop).ConfigureAwait(false);
            Change(s => s with { IsReady = true });
            say("everything is ready");
            await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }
        catch (Exception e)
        {
            say(e.ToString());
            Change(s => s with { Failure = e.Message });
        }
        await StopAsync().ConfigureAwait(false);
        if (_state.Failure is null)
            File.Delete(_folders.StateFile);
        say("stopped");
    }

    private async Task StartAsync(PlatformPlan plan, PlatformSettings settings, CancellationToken stop)
    {
        Change(s => s);
        foreach (var server in plan.Servers)
            await server.PrepareAsync(say, stop).ConfigureAwait(false);
        PrivateFile.Write(_folders.SettingsFile, settings);
        await Task.WhenAll(plan.Servers.Select(async server =>
        {
            foreach (var process in server.Processes)
                await Add(_servers, process).Ready.WaitAsync(stop).ConfigureAwait(false);
        })).ConfigureAwait(false);
        await Task.WhenAll(plan.Services.Select(s => Add(_services, s).Ready.WaitAsync(stop))).ConfigureAwait(false);
    }

    private SupervisedProcess Add(List<SupervisedProcess> list, ProcessPlan plan)
    {
        var process = new SupervisedProcess(plan, _folders, () => Change(s => s), say);
        lock (_gate)
            list.Add(process);
        process.Start();
        return process;
    }

    private async Task StopAsync()
    {
        say("stopping");
        await Task.WhenAll(_services.Select(s => s.StopAsync(StopServices))).ConfigureAwait(false);
        // The broker still needs the name server while it stops.
        await Task.WhenAll(_servers.Where(s => s.Plan.Name != "epmd").Select(s => s.StopAsync(StopServers))).ConfigureAwait(false);
        await Task.WhenAll(_servers.Select(s => s.StopAsync(StopServers))).ConfigureAwait(false);
    }

    private void Change(Func<PlatformState, PlatformState> change)
    {
        lock (_gate)
        {
            _state = change(_state!) with { Processes = [.. _servers.Concat(_services).Select(s => s.State)] };
            PrivateFile.Write(_folders.StateFile, _state);
        }
    }

    private FileStream Claim()
    {
        try
        {
            return new FileStream(_folders.LockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new UserInputException($"Another supervisor works in {_folders.Path}.", e);
        }
    }
}
