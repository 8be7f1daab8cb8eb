using System.Diagnostics;
using Espalier.Platform.Processes;
using Espalier.Platform.Servers;
using Espalier.Contracts;

namespace Espalier.Platform;

/// <summary>Starts and stops the platform of a home from outside its supervisor.</summary>
public sealed class PlatformControl(EspalierHome home, Action<string> say)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100), StopLimit = TimeSpan.FromSeconds(90), LeftoverGrace = TimeSpan.FromSeconds(10);
    private readonly PlatformHome _folders = new(home);

    /// <summary>What is running, or null when nothing was started.</summary>
    public PlatformState? Read() => Read(home);

    /// <summary>What is running in a home, or null when nothing was started.</summary>
    public static PlatformState? Read(EspalierHome home) => PrivateFile.Read<PlatformState>(new PlatformHome(home).StateFile);

    /// <summary>Starts everything in the background and waits until it is ready; does nothing when it is running already.</summary>
    /// <param name="wanted">What to run.</param>
    /// <param name="supervisor">Program and arguments of a process that runs <see cref="Supervisor"/> in this home.</param>
    /// <param name="limit">How long the start may take.</param>
    /// <param name="cancellationToken">Gives up and stops what was started.</param>
    /// <exception cref="UserInputException">It cannot be started; the message is the reason.</exception>
    public async Task<PlatformState> UpAsync(WantedPlatform wanted, IReadOnlyList<string> supervisor, TimeSpan limit, CancellationToken cancellationToken)
    {
        if (Read() is { Failure: null, Supervisor.IsAlive: true } running)
        {
            say("the platform is already running; espalier down first to change it");
            return await WaitAsync(running.Supervisor, limit, cancellationToken).ConfigureAwait(false);
        }
        await DownAsync(cancellationToken).ConfigureAwait(false);
        _folders.Create();
        await InstallAsync(wanted, cancellationToken).ConfigureAwait(false);
        PrivateFile.Write(_folders.WantedFile, wanted);
        File.Delete(_folders.StateFile);
        using var process = DetachedProcess.Start(
            supervisor, new Dictionary<string, string> { ["ESPALIER_HOME"] = home.Path }, _folders.LogOf("supervisor"), _folders.Path);
        var started = ProcessIdentity.Of(process.Id)
            ?? throw new InvalidOperationException($"The supervisor ended at once:{Environment.NewLine}{LogTail.Read(_folders.LogOf("supervisor"), 10)}");
        try
        {
            return await WaitAsync(started, limit, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await DownAsync(CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Stops everything, including what a killed supervisor left behind; never a process that is not ours.</summary>
    /// <returns>Whether anything was running.</returns>
    public async Task<bool> DownAsync(CancellationToken cancellationToken)
    {
        if (Read() is not { } state)
            return false;
        var ran = state.Supervisor.IsAlive || state.Processes.Any(p => p.Process is { IsAlive: true });
        state.Supervisor.Signal(PlatformSignal.Terminate);
        var clock = Stopwatch.StartNew();
        while (state.Supervisor.IsAlive)
        {
            if (clock.Elapsed > StopLimit)
                state.Supervisor.KillGroup();
            await Task.Delay(Look, cancellationToken).ConfigureAwait(false);
        }
        // The supervisor may have written the file until it ended.
        await EndLeftoversAsync(Read() ?? state, cancellationToken).ConfigureAwait(false);
        File.Delete(_folders.StateFile);
        return ran;
    }

    private static async Task EndLeftoversAsync(PlatformState state, CancellationToken cancellationToken)
    {
        foreach (var kind in new[] { ProcessKinds.Worker, ProcessKinds.Service, ProcessKinds.Server })
        {
            var left = state.Processes.Where(p => p.Kind == kind && p.Process is { IsAlive: true }).Select(p => p.Process!).ToList();
            foreach (var process in left)
                process.Signal(kind == ProcessKinds.Server ? PlatformSignal.Interrupt : PlatformSignal.Terminate);
            foreach (var process in left.Where(_ => kind == ProcessKinds.Server))
                process.Signal(PlatformSignal.Terminate);
            var clock = Stopwatch.StartNew();
            while (left.Any(p => p.IsAlive) && clock.Elapsed < LeftoverGrace)
                await Task.Delay(Look, cancellationToken).ConfigureAwait(false);
            foreach (var process in left)
                process.KillGroup();
        }
    }

    private async Task<PlatformState> WaitAsync(ProcessIdentity supervisor, TimeSpan limit, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var told = new HashSet<string>();
        while (true)
        {
            var state = Read();
            if (state is { Failure: { } failure })
                throw new UserInputException($"The platform did not start: {failure}");
            if (state is { IsReady: true } && state.Supervisor == supervisor)
                return state;
            foreach (var process in state?.Processes ?? [])
            {
                if (told.Add(process.Name))
                    say($"starting {process.Name}");
            }
            if (!supervisor.IsAlive)
                throw new InvalidOperationException(
                    $"The supervisor ended; the end of {_folders.LogOf("supervisor")}:{Environment.NewLine}{LogTail.Read(_folders.LogOf("supervisor"), 10)}");
            if (clock.Elapsed > limit)
            {
                var reasons = await ReasonsAsync(state, cancellationToken).ConfigureAwait(false);
                throw new InvalidOperationException(
                    $"Not ready within {limit.TotalSeconds:0} s.{Environment.NewLine}{string.Concat(reasons.Select(r => r + Environment.NewLine))}The end of "
                    + $"{_folders.LogOf("supervisor")}:{Environment.NewLine}{LogTail.Read(_folders.LogOf("supervisor"), 15)}");
            }
            await Task.Delay(Look, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>What each process that is not ready says about it.</summary>
    private static async Task<IReadOnlyList<string>> ReasonsAsync(PlatformState? state, CancellationToken cancellationToken)
    {
        var reasons = await Task.WhenAll((state?.Processes ?? []).Select(async process =>
            await Probes.IsReadyAsync(process.Probe, cancellationToken).ConfigureAwait(false) ? null
            : process.Process is not { IsAlive: true } ? $"{process.Name} does not run; its log: {process.Log}"
            : await Probes.FindReasonAsync(process.Probe, cancellationToken).ConfigureAwait(false) is { } reason ? $"{process.Name}: {reason}"
            : $"{process.Name} does not answer; its log: {process.Log}")).ConfigureAwait(false);
        return [.. reasons.OfType<string>()];
    }

    /// <summary>In the foreground, so that messages are visible and Ctrl-C works.</summary>
    private async Task InstallAsync(WantedPlatform wanted, CancellationToken cancellationToken)
    {
        var servers = PlatformPlan.Create(home, new PlatformSettings(), wanted).Servers;
        await DebianPackages.InstallAsync([.. servers.SelectMany(s => s.MissingPackages)], say, cancellationToken).ConfigureAwait(false);
        if (servers.OfType<AzuriteServer>().Any())
            await AzuritePackage.InstallAsync(say, cancellationToken).ConfigureAwait(false);
    }
}
