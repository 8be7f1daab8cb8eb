using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.FaultInjection;
using Espalier.Messaging;
using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Espalier.Stages.Worker;

/// <summary>
/// Claims steps while it has free slots, on a hint or by polling, and runs them. It starts after the bus and stops before
/// it, so that a step is given back when the process is asked to end.
/// </summary>
internal sealed class StageWorker(
    OfferedStages stages, IStageRunner runner, OrchestratorClient orchestrator, IBus bus, MessagingOptions messaging,
    ArtifactStore artifacts, StageWorkerOptions options, TimeProvider time, ILogger<StageWorker> logger) : IHostedLifecycleService
{
    private static readonly TimeSpan PauseHintsAfter = TimeSpan.FromMilliseconds(500);

    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly Dictionary<Task, (HeldAttempt Attempt, string Device)> _attempts = [];
    private readonly IReadOnlyList<DeviceClass> _classes = options.Classes;
    private readonly Dictionary<string, HintListener> _hints = options.Classes.ToDictionary(
        c => c.Name, c => new HintListener(bus, messaging, c.Name, stages, time, logger));
    private readonly StageAdvertiser _advertiser = new(stages.Advertise, orchestrator.PublishAsync, options.AdvertiseInterval, time, logger);
    private Task _loops = Task.CompletedTask;
    private volatile bool _isAsking;

    /// <summary>Why the worker is not ready; null when it has said what it offers, hears hints and asks for work.</summary>
    public string? Problem =>
        _hints.Values.Select(h => h.Problem).FirstOrDefault(p => p is not null)
            ?? (_advertiser.HasAdvertised && _isAsking && _hints.Values.All(h => h.HasListened) ? null : "The worker does not take work yet, or any more.");

    private int Slots => _classes.Sum(c => c.Slots);

    /// <summary>Classes with a free slot.</summary>
    private List<string> Free => [.. _classes.Where(c => _attempts.Values.Count(a => a.Device == c.Name) < c.Slots).Select(c => c.Name)];

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        ThreadPool.GetMinThreads(out var workers, out var completions);
        // Stages block threads of the pool while they compute; heartbeats must not wait for it to grow.
        ThreadPool.SetMinThreads(Math.Max(workers, 8 + Slots * 4), completions);
        foreach (var hints in _hints.Values)
            hints.OnHint = Wake;
        _loops = Task.WhenAll(
            Task.Run(() => ClaimLoopAsync(_stopping.Token), CancellationToken.None),
            Task.Run(() => _advertiser.RunAsync(_stopping.Token), CancellationToken.None));
        return Task.CompletedTask;
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _isAsking = false;
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loops.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await StopHintsAsync(_hints.Keys).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task ClaimLoopAsync(CancellationToken stopping)
    {
        StageLog.WorkerStarted(logger, options.Name, string.Join(", ", stages.Kinds), string.Join(", ", _classes.Select(c => c.Name)));
        foreach (var pretended in _classes.Where(c => c.IsPretended))
            StageLog.DeviceIsPretended(logger, options.Name, pretended.Name);
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                ForgetEnded();
                await Task.WhenAll(Free.Select(device => _hints[device].BeginAsync())).ConfigureAwait(false);
                _isAsking = true;
                await TakeWorkAsync(stopping).ConfigureAwait(false);
                if (_attempts.Count >= Slots)
                    await WaitForSlotAsync(stopping).ConfigureAwait(false);
                else
                    await WaitForHintAsync(stopping).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
            }
            catch (Exception e) when (e is RequestException or MassTransitException or TimeoutException or IOException)
            {
                StageLog.RequestFailed(logger, "claim", e.Message);
                await Task.Delay(TimeSpan.FromSeconds(1), time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception e)
            {
                StageLog.WorkerFailed(logger, e);
                await Task.Delay(options.PollInterval, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        await Task.WhenAll(_attempts.Keys).ConfigureAwait(false);
    }

    /// <summary>Claims until the slots are full or there is nothing to do.</summary>
    private async Task TakeWorkAsync(CancellationToken stopping)
    {
        ForgetEnded();
        while (Free is { Count: > 0 } free && !stopping.IsCancellationRequested)
        {
            var claim = new ClaimStep
            {
                Worker = options.Name,
                Kinds = stages.Kinds,
                Devices = free,
                Classes = _classes,
                MemoryBytes = _classes.Count == 1 ? options.MemoryBytes : 0,
                Slots = Slots,
                Offers = stages.Offers(),
                Holding = [.. _attempts.Values.Select(a => a.Attempt)],
                ChoosesThreads = options.Isolation == WorkIsolation.ChildProcess,
            };
            Faults.Reach(FaultPoints.ClaimSend);
            // Not cancelled by the shutdown: an answer that nobody takes would cost the step a lease.
            var (answer, wantsOffers) = await orchestrator.ClaimAsync(claim, CancellationToken.None).ConfigureAwait(false);
            if (wantsOffers)
                _advertiser.Repeat();
            if (answer is not { } assignment)
                return;
            StageLog.AttemptStarted(logger, assignment.Step.RunId, assignment.Step.Name, assignment.Fence);
            _attempts.Add(
                RunAsync(assignment, stopping),
                (new HeldAttempt(assignment.Step.RunId, assignment.Step.Name, assignment.Fence), options.ClassOf(assignment.Device).Name));
        }
    }

    private void ForgetEnded()
    {
        foreach (var ended in _attempts.Keys.Where(a => a.IsCompleted).ToList())
            _attempts.Remove(ended);
    }

    private async Task RunAsync(StepAssignment assignment, CancellationToken stopping)
    {
        await Task.Yield();
        try
        {
            await new StepAttempt(assignment, options, stages, runner, orchestrator, artifacts, time, logger).RunAsync(stopping).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            StageLog.WorkerFailed(logger, e);
        }
        Wake();
    }

    /// <summary>Waits for a hint, the end of an attempt, or the time to ask again. Hints for classes without a free slot are left to others.</summary>
    private async Task WaitForHintAsync(CancellationToken stopping)
    {
        if (messaging.Transport == MessagingTransport.RabbitMq && Free.Count < _classes.Count)
        {
            if (await _wake.WaitAsync(PauseHintsAfter, stopping).ConfigureAwait(false))
                return;
            await StopHintsAsync(_classes.Select(c => c.Name).Except(Free)).ConfigureAwait(false);
        }
        await _wake.WaitAsync(options.PollInterval, stopping).ConfigureAwait(false);
    }

    private Task StopHintsAsync(IEnumerable<string> devices) => Task.WhenAll(devices.Select(device => _hints[device].StopAsync()));

    private async Task WaitForSlotAsync(CancellationToken stopping)
    {
        var free = Task.WhenAny(_attempts.Keys);
        if (messaging.Transport == MessagingTransport.RabbitMq
            && await Task.WhenAny(free, Task.Delay(PauseHintsAfter, time, stopping)).ConfigureAwait(false) != free
            && !stopping.IsCancellationRequested)
        {
            await StopHintsAsync(_hints.Keys).ConfigureAwait(false);
        }
        await free.WaitAsync(stopping).ConfigureAwait(false);
        await TakeWorkAsync(stopping).ConfigureAwait(false);
    }

    private void Wake()
    {
        try
        {
            _wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // It is awake already.
        }
    }
}
