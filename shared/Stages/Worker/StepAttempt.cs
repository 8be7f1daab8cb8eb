using Espalier.Artifacts;
using Espalier.Contracts;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace Espalier.Stages.Worker;

/// <summary>One attempt at one step, from the claim to the last report.</summary>
internal sealed class StepAttempt(
    StepAssignment assignment, StageWorkerOptions options, OfferedStages stages, IStageRunner runner, OrchestratorClient orchestrator,
    ArtifactStore artifacts, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan ReportPause = TimeSpan.FromMilliseconds(200);

    private readonly StepLease _lease = new(assignment.Lease, time);
    private readonly ProgressRelay _progress = new(time);
    private readonly CancellationTokenSource _work = new();
    private readonly long _startedAt = time.GetTimestamp();
    private readonly DateTimeOffset _started = time.GetUtcNow();
    private StopReason _reason;

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
        try
        {
            await WorkAsync().ConfigureAwait(false);
        }
        finally
        {
            await done.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(beating, telling).ConfigureAwait(false);
            _work.Dispose();
        }
    }

    private async Task WorkAsync()
    {
        try
        {
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
            await FailAsync(FailureClassifier.Classify(e), FailureClassifier.Describe(e)).ConfigureAwait(false);
        }
    }

    private async Task<StepCommit?> ComputeAsync()
    {
        var running = runner.RunAsync(new StageWork(assignment, _progress, () => !_lease.IsOver), _work.Token);
        if (!await EndsInTimeAsync(running).ConfigureAwait(false))
        {
            StageLog.StageIgnoresStop(logger, assignment.Step.RunId, assignment.Step.Name, options.StopGrace);
            await StoppedAsync().ConfigureAwait(false);
            await ((Task)running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return null;
        }
        var (result, peak) = await running.ConfigureAwait(false);
        if (_lease.IsOver || _reason == StopReason.LeaseLost)
        {
            StageLog.ResultFenced(logger, assignment.Step.RunId, assignment.Step.Name, assignment.Fence);
            return null;
        }
        await TellOnceAsync(CancellationToken.None).ConfigureAwait(false);
        var commit = await artifacts.CommitStepAsync(
            assignment.Step.Key, new StepCommit { Outputs = result.Outputs, Metrics = result.Metrics }, CancellationToken.None).ConfigureAwait(false);
        await WriteReceiptAsync(peak).ConfigureAwait(false);
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
        };
        await receipt.WriteAsync(artifacts, assignment.Step.Key, CancellationToken.None).ConfigureAwait(false);
    }

    private async Task FinishAsync(StepCommit commit)
    {
        var finished = new StepFinished
        {
            Step = assignment.Step,
            Fence = assignment.Fence,
            Worker = options.Name,
            Outputs = commit.Outputs,
            Metrics = commit.Metrics,
            Duration = time.GetElapsedTime(_startedAt),
            PeakMemoryBytes = PeakMemory.Read(),
        };
        await ReportAsync(token => orchestrator.ReportAsync(finished, token)).ConfigureAwait(false);
    }

    private Task StoppedAsync() => _reason switch
    {
        StopReason.LeaseLost => Task.CompletedTask,
        StopReason.Shutdown => FailAsync(null, $"Worker {options.Name} shut down."),
        _ => FailAsync(null, "Stopped on request."),
    };

    private Task FailAsync(FailureClass? failure, string message)
    {
        var failed = new StepFailed
        {
            Step = assignment.Step,
            Fence = assignment.Fence,
            Worker = options.Name,
            Failure = failure,
            Message = message.Length <= 4000 ? message : message[..4000],
        };
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
            catch (Exception e) when (e is RequestException or MassTransitException or OperationCanceledException)
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
        catch (Exception e) when (e is RequestException or MassTransitException or OperationCanceledException)
        {
            if (!done.IsCancellationRequested)
                StageLog.RequestFailed(logger, "heartbeat", e.Message);
        }
    }

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

    private async Task TellOnceAsync(CancellationToken cancellationToken)
    {
        if (_progress.Take(assignment.Step, assignment.Fence) is not { } progress)
            return;
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(ProgressInterval * 4);
        try
        {
            await orchestrator.PublishAsync(progress, limited.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is MassTransitException or OperationCanceledException)
        {
            // Progress is for people; the next one follows.
        }
    }
}
