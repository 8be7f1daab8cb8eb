using System.Diagnostics;
using Espalier.Hosting;
using Espalier.Platform.Processes;
using Polly;
using Polly.Retry;

namespace Espalier.Platform;

/// <summary>Keeps one process running: starts it again when it ends, at once the first time, then with growing pauses.</summary>
internal sealed class SupervisedProcess(ProcessPlan plan, PlatformHome home, Action changed, Action<string> say)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(150);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200), LongestPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StableAfter = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestStart = TimeSpan.FromSeconds(150);

    /// <summary>A server listens before it accepts logins.</summary>
    private static readonly ResiliencePipeline UntilLoginsAreAccepted = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions
    {
        ShouldHandle = new PredicateBuilder().Handle<System.Data.Common.DbException>().Handle<IOException>(),
        MaxRetryAttempts = int.MaxValue,
        Delay = Look,
    }).Build();

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stopping = new();
    private Task _running = Task.CompletedTask;
    private volatile ProcessIdentity? _process;
    private volatile int _restarts;

    /// <summary>How it is started.</summary>
    public ProcessPlan Plan { get; } = plan;

    /// <summary>Completes when the process is ready for the first time; fails when it cannot be started.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Its state for other commands.</summary>
    public ProcessState State =>
        new() { Name = Plan.Name, Kind = Plan.Kind, Process = _process, Probe = Plan.Probe, Restarts = _restarts, Log = home.LogOf(Plan.Name) };

    /// <summary>Starts the process and its supervision.</summary>
    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>Asks the process to end, and kills it when it has not ended within the grace.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        _process?.Signal(Plan.StopSignal);
        if (await Task.WhenAny(_running, Task.Delay(grace)).ConfigureAwait(false) != _running)
        {
            say($"{Plan.Name} does not end within {grace.TotalSeconds:0} s and is killed");
            _process?.KillGroup();
        }
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task RunAsync()
    {
        var pause = FirstPause;
        while (!_stopping.IsCancellationRequested)
        {
            var clock = Stopwatch.StartNew();
            using var process = DetachedProcess.Start(Plan.Command, Plan.Environment, home.LogOf(Plan.Name), Plan.Folder ?? home.Path);
            _process = ProcessIdentity.Of(process.Id);
            changed();
            if (_stopping.IsCancellationRequested)
                _process?.Signal(Plan.StopSignal); // it was stopped while it started
            using var ended = new CancellationTokenSource();
            var waiting = WaitUntilReadyAsync(ended.Token);
            _ = EndIfItHangsAsync(waiting, _process, ended.Token);
            await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
            await ended.CancelAsync().ConfigureAwait(false);
            await waiting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ProcessIdentity.KillOrphans(process.Id);
            _process = null;
            if (_stopping.IsCancellationRequested)
                break;

            say($"{Plan.Name} ended with {process.ExitCode} after {clock.Elapsed.TotalSeconds:0.0} s");
            if (process.ExitCode == ServiceHost.WrongSettings && !_ready.Task.IsCompleted)
            {
                _ready.TrySetException(
                    new InvalidOperationException(
                        $"{Plan.Name} refuses to start; the end of its log:{Environment.NewLine}{LogTail.Read(home.LogOf(Plan.Name), 10)}"));
                break;
            }
            pause = clock.Elapsed > StableAfter ? FirstPause : pause;
            changed();
            await Task.Delay(pause, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            _restarts++;
        }
        changed();
    }

    /// <summary>A process that never becomes ready is killed, so that it is started again.</summary>
    private async Task EndIfItHangsAsync(Task ready, ProcessIdentity? process, CancellationToken ended)
    {
        if (await Task.WhenAny(ready, Task.Delay(LongestStart, ended)).ConfigureAwait(false) == ready
            || ended.IsCancellationRequested
            || _stopping.IsCancellationRequested)
            return;
        say($"{Plan.Name} is not ready after {LongestStart.TotalSeconds:0} s and is started again");
        process?.KillGroup();
    }

    private async Task WaitUntilReadyAsync(CancellationToken ended)
    {
        while (!await Probes.IsReadyAsync(Plan.Probe, ended).ConfigureAwait(false))
            await Task.Delay(Look, ended).ConfigureAwait(false);
        if (Plan.OnReady is { } onReady)
            await UntilLoginsAreAccepted.ExecuteAsync(async token => await onReady(token).ConfigureAwait(false), ended).ConfigureAwait(false);
        say($"{Plan.Name} is ready");
        _ready.TrySetResult();
        changed();
    }
}
