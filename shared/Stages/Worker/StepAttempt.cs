using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.FaultInjection;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace Espalier.Stages.Worker;

/// <summary>One attempt at one step, from the claim to the last report.</summary>
internal sealed class StepAttempt(
    StepAssignment assignment, StageWorkerOptions options, OfferedStages stages, IStageRunner runner, OrchestratorClient orchestrator,
    ArtifactStore artifacts, TimeProvider time, ILogger logger)
{
    private const int MostLastMessages = 20;
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan ReportPause = TimeSpan.FromMilliseconds(200);

    private readonly StepLease _lease = new(assignment.Lease, time);
    private readonly ProgressRelay _progress = new(time);
    private readonly CancellationTokenSource _work = new();
    private readonly CancellationTokenSource _kill = new();
    private readonly long _startedAt = time.GetTimestamp();
    private readonly DateTimeOffset _started = time.GetUtcNow();
    private StopReason _reason;
    private long _peak;

    private enum StopReason
    {
        None,
        Cancelled,
        LeaseLost,
        Shutdown,
    }

    /// <summary>Does the work and reports how it ended. Never throws for a failed stage.</summary>
    public async Task RunAsync(CancellationToken shutdown)
    {
        using var done = new CancellationTokenSource();
        await using var onShutdown = shutdown.Register(() => Stop(StopReason.Shutdown)).ConfigureAwait(false);
        var beating = BeatAsync(done.Token);
        var telling = TellAsync(done.Token);
        // Heartbeats began before: hours of them would bury what matters in the run's trace.
        using var span = StageTelemetry.Start(assignment);
        using var scope = logger.BeginScope(new Dictionary<string, object> { ["run"] = assignment.Step.RunId, ["step"] = assignment.Step.Name, ["attempt"] = assignment.Fence });
        StageTelemetry.Count(assignment, 1);
        try
        {
            await WorkAsync().ConfigureAwait(false);
        }
        finally
        {
            StageTelemetry.Count(assignment, -1);
            await done.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(beating, telling).ConfigureAwait(false);
            _work.Dispose();
            _kill.Dispose();
        }
    }

    private async Task WorkAsync()
    {
        try
        {
            Faults.Reach(FaultPoints.ClaimGranted);
            if (!stages.Kinds.Contains(assignment.Kind))
            {
                await FailAsync(FailureClass.Transient, $"Worker {options.Name} does not know the stage '{assignment.Kind}', only {string.Join(", ", stages.Kinds)}: it is older than what was sent to it. Update it.").ConfigureAwait(false);
                return;
            }
            // A worker that died between commit and report leaves its result behind.
            var commit = await artifacts.FindIntactStepAsync(assignment.Step.Key, _work.Token).ConfigureAwait(false)
                ?? await ComputeAsync().ConfigureAwait(false);
            if (commit is not null)
                await FinishAsync(commit).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_work.IsCancellationRequested)
        {
            await StoppedAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            StageLog.AttemptFailed(logger, assignment.Step.RunId, assignment.Step.Name, assignment.Fence, e);
            await TellRestAsync().ConfigureAwait(false);
            await FailAsync(FailureClassifier.Classify(e), FailureClassifier.Describe(e)).ConfigureAwait(false);
        }
    }

    private async Task<StepCommit?> ComputeAsync()
    {
        var whole = await InputLists.FillAsync(assignment, artifacts, _work.Token).ConfigureAwait(false);
        using var work = StageTelemetry.Source.StartActivity("step work");
        var running = runner.RunAsync(new StageWork(whole, _progress, _lease), _work.Token, _kill.Token);
        if (!await EndsInTimeAsync(running).ConfigureAwait(false))
        {
            StageLog.StageIgnoresStop(logger, assignment.Step.RunId, assignment.Step.Name, options.StopGrace);
            _progress.Phase("ended: it did not stop in time");
            await _kill.CancelAsync().ConfigureAwait(false);
            await StoppedAsync().ConfigureAwait(false);
            await ((Task)running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return null;
        }
        var (result, peak) = await running.ConfigureAwait(false);
        work?.Dispose();
        StageTelemetry.Worked(assignment, time.GetElapsedTime(_startedAt));
        if (_lease.IsOver || _reason == StopReason.LeaseLost)
        {
            StageLog.ResultFenced(logger, assignment.Step.RunId, assignment.Step.Name, assignment.Fence);
            return null;
        }
        await TellRestAsync().ConfigureAwait(false);
        using var committing = StageTelemetry.Source.StartActivity("step commit");
        Faults.Reach(FaultPoints.StepCommit);
        var commit = await artifacts.CommitStepAsync(
            assignment.Step.Key, new StepCommit { Outputs = result.Outputs, Metrics = result.Metrics, Notes = result.Notes }, CancellationToken.None)
            .ConfigureAwait(false);
        Faults.Reach(FaultPoints.StepCommitted);
        _peak = peak;
        await WriteReceiptAsync(peak).ConfigureAwait(false);
        Faults.Reach(FaultPoints.ReceiptWritten);
        await new BlobCursor(artifacts.Blobs, assignment.Step.Key).ClearAsync(CancellationToken.None).ConfigureAwait(false);
        return commit;
    }

    /// <summary>Waits for the stage; once it is told to stop, only for the grace.</summary>
    private async Task<bool> EndsInTimeAsync(Task running)
    {
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = _work.Token.Register(told.SetResult).ConfigureAwait(false);
        if (await Task.WhenAny(running, told.Task).ConfigureAwait(false) == running)
            return true;
        // Whoever lost the lease has nothing to save.
        if (_reason == StopReason.LeaseLost)
            await _kill.CancelAsync().ConfigureAwait(false);
        _progress.Phase("stopping: saving the position");
        return await Task.WhenAny(running, Task.Delay(options.StopGrace, time)).ConfigureAwait(false) == running;
    }

    private async Task WriteReceiptAsync(long peak)
    {
        var receipt = new StepReceipt
        {
            RunId = assignment.Step.RunId,
            Step = assignment.Step.Name,
            Kind = assignment.Kind,
            Key = stages.KeyOf(assignment),
            Attempt = assignment.Fence,
            Worker = options.Name,
            Host = Environment.MachineName,
            Started = _started,
            Duration = time.GetElapsedTime(_startedAt),
            PeakMemoryBytes = peak,
            Metrics = _progress.Metrics.Where(m => double.IsFinite(m.Value)).ToDictionary(),
            MemoryDivisor = assignment.MemoryDivisor,
        };
        await receipt.WriteAsync(artifacts, assignment.Step.Key, CancellationToken.None).ConfigureAwait(false);
    }

    private async Task FinishAsync(StepCommit commit)
    {
        var isLarge = commit.Outputs.Count + commit.Metrics.Count > MessageLimits.MostEntries;
        var finished = new StepFinished
        {
            Step = assignment.Step,
            Fence = assignment.Fence,
            Worker = options.Name,
            IsInCommit = isLarge,
            Outputs = isLarge ? new Dictionary<string, ManifestRef>() : commit.Outputs,
            Metrics = isLarge ? new Dictionary<string, double>() : commit.Metrics,
            Duration = time.GetElapsedTime(_startedAt),
            PeakMemoryBytes = _peak,
        };
        Faults.Reach(FaultPoints.FinishSend);
        await ReportAsync(token => orchestrator.ReportAsync(finished, token)).ConfigureAwait(false);
        Faults.Reach(FaultPoints.FinishAcknowledged);
    }

    private Task StoppedAsync() => _reason switch
    {
        StopReason.LeaseLost => Task.CompletedTask,
        StopReason.Shutdown => FailAsync(null, $"Worker {options.Name} shut down."),
        _ => FailAsync(null, _kill.IsCancellationRequested ? $"Stopped on request: its work was ended after {options.StopGrace.TotalSeconds:0.#} s." : "Stopped on request."),
    };

    private Task FailAsync(FailureClass? failure, string message)
    {
        var failed = new StepFailed
        {
            Step = assignment.Step,
            Fence = assignment.Fence,
            Worker = options.Name,
            Failure = failure,
            Message = MessageLimits.Cut(message),
        };
        Faults.Reach(FaultPoints.FailureSend);
        return ReportAsync(token => orchestrator.ReportAsync(failed, token));
    }

    /// <summary>Repeats a report until it is answered or the lease is over; then the next attempt finds the commit.</summary>
    private async Task ReportAsync(Func<CancellationToken, Task<bool>> report)
    {
        while (!_lease.IsOver)
        {
            try
            {
                if (!await report(CancellationToken.None).ConfigureAwait(false))
                    StageLog.ResultFenced(logger, assignment.Step.RunId, assignment.Step.Name, assignment.Fence);
                return;
            }
            catch (Exception e) when (IsLost(e))
            {
                StageLog.RequestFailed(logger, "report", e.Message);
                await Task.Delay(ReportPause, time).ConfigureAwait(false);
            }
        }
    }

    private async Task BeatAsync(CancellationToken done)
    {
        var third = assignment.Lease / 3;
        var interval = options.HeartbeatInterval < third ? options.HeartbeatInterval : third;
        while (!done.IsCancellationRequested)
        {
            await Task.Delay(interval < _lease.Remaining || _lease.IsOver ? interval : _lease.Remaining, time, done)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (done.IsCancellationRequested)
                return;
            await BeatOnceAsync(done).ConfigureAwait(false);
            if (_lease.IsOver)
                Stop(StopReason.LeaseLost);
        }
    }

    private async Task BeatOnceAsync(CancellationToken done)
    {
        using var untilOver = CancellationTokenSource.CreateLinkedTokenSource(done);
        if (_lease.Remaining > TimeSpan.Zero)
            untilOver.CancelAfter(_lease.Remaining);
        var mark = _lease.Mark();
        var (units, total, rate) = _progress.Position;
        try
        {
            var beat = new StepHeartbeat
            {
                Step = assignment.Step, Fence = assignment.Fence, Worker = options.Name, Done = units, Total = total, Rate = rate,
            };
            Faults.Reach(FaultPoints.HeartbeatSend);
            switch (await orchestrator.BeatAsync(beat, untilOver.Token).ConfigureAwait(false))
            {
                case LeaseVerdict.Continue:
                    _lease.Renew(mark);
                    break;
                case LeaseVerdict.Cancel:
                    _lease.Renew(mark);
                    Stop(StopReason.Cancelled);
                    break;
                default:
                    Stop(StopReason.LeaseLost);
                    break;
            }
        }
        catch (Exception e) when (IsLost(e))
        {
            if (!done.IsCancellationRequested)
                StageLog.RequestFailed(logger, "heartbeat", e.Message);
        }
    }

    /// <summary>A request that got no answer: the broker, the network or the orchestrator is away.</summary>
    private static bool IsLost(Exception e) =>
        e is RequestException or MassTransitException or OperationCanceledException or TimeoutException or IOException || e.GetType().Namespace == "RabbitMQ.Client.Exceptions";

    private void Stop(StopReason reason)
    {
        lock (_work)
        {
            // A lost lease beats every other reason: nothing may be reported or published any more.
            if (_reason == StopReason.None || reason == StopReason.LeaseLost)
                _reason = reason;
        }
        try
        {
            _work.Cancel();
        }
        catch (ObjectDisposedException)
        {
        }
    }

    private async Task TellAsync(CancellationToken done)
    {
        while (!done.IsCancellationRequested)
        {
            await Task.Delay(ProgressInterval, time, done).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!done.IsCancellationRequested)
                await TellOnceAsync(done).ConfigureAwait(false);
        }
    }

    /// <summary>Tells everything that is not told yet, such as the last lines of a work process that crashed.</summary>
    private async Task TellRestAsync()
    {
        for (var message = 0; message < MostLastMessages && await TellOnceAsync(CancellationToken.None).ConfigureAwait(false); message++)
        {
        }
    }

    /// <summary>False when there is nothing new, or nobody to tell it to.</summary>
    private async Task<bool> TellOnceAsync(CancellationToken cancellationToken)
    {
        if (_progress.Take(assignment.Step, assignment.Fence) is not { } progress)
            return false;
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(ProgressInterval * 4);
        try
        {
            Faults.Reach(FaultPoints.ProgressSend);
            await orchestrator.PublishAsync(progress, limited.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (IsLost(e))
        {
            // Progress is for people; the next one follows.
            return false;
        }
    }
}
