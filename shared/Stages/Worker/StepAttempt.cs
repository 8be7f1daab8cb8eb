using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.FaultInjection;
using Microsoft.Extensions.Logging;

namespace Espalier.Stages.Worker;

/// <summary>One attempt at one step, from the claim to the last report.</summary>
internal sealed class StepAttempt(
    StepAssignment assignment, StageWorkerOptions options, OfferedStages stages, IStageRunner runner, OrchestratorClient orchestrator,
    ArtifactStore artifacts, TimeProvider time, ILogger logger)
{
    private readonly StepLease _lease = new(assignment.Lease, time);
    private readonly StepReports _reports = new(assignment, orchestrator, time, logger);
    private readonly CancellationTokenSource _work = new();
    private readonly CancellationTokenSource _kill = new();
    private readonly long _startedAt = time.GetTimestamp();
    private readonly DateTimeOffset _started = time.GetUtcNow();
    private StopReason _reason;
    private long _peak;

    /// <summary>Does the work and reports how it ended. Never throws for a failed stage.</summary>
    public async Task RunAsync(CancellationToken shutdown)
    {
        using var done = new CancellationTokenSource();
        await using var onShutdown = shutdown.Register(() => Stop(StopReason.Shutdown)).ConfigureAwait(false);
        var beating = new StepHeartbeats(assignment, options, orchestrator, _lease, _reports.Progress, Stop, time, logger).RunAsync(done.Token);
        var reporting = _reports.SendUntilAsync(done.Token);
        // Heartbeats began before: hours of them would bury what matters in the run's trace.
        using var span = StageTelemetry.Start(assignment);
        using var scope = logger.BeginScope(new Dictionary<string, object>
        {
            ["run"] = assignment.Step.RunId, ["step"] = assignment.Step.Name, ["attempt"] = assignment.Fence,
        });
        StageTelemetry.Count(assignment, 1);
        try
        {
            await WorkAsync().ConfigureAwait(false);
        }
        finally
        {
            StageTelemetry.Count(assignment, -1);
            await done.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(beating, reporting).ConfigureAwait(false);
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
                await FailAsync(
                    FailureClass.Transient,
                    $"Worker {options.Name} does not know the stage '{assignment.Kind}', only {string.Join(", ", stages.Kinds)}: it is older "
                        + "than what was sent to it. Update it.").ConfigureAwait(false);
                return;
            }
            // A worker that died between commit and report leaves its result behind.
            var commit = stages.IsEffect(assignment.Kind)
                ? null
                : await artifacts.FindIntactStepAsync(assignment.Step.Key, _work.Token).ConfigureAwait(false);
            commit ??= await ComputeAsync().ConfigureAwait(false);
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
            await _reports.SendRestAsync().ConfigureAwait(false);
            await FailAsync(
                FailureClassifier.Classify(e), FailureClassifier.Describe(e), FailureClassifier.FindLostBlob(e),
                await IsOutageAsync(e).ConfigureAwait(false)).ConfigureAwait(false);
        }
    }

    private async Task<StepCommit?> ComputeAsync()
    {
        var whole = await InputLists.FillAsync(assignment, artifacts, _work.Token).ConfigureAwait(false);
        using var work = StageTelemetry.Source.StartActivity("step work");
        var running = runner.RunAsync(new StageWork(whole, _reports.Progress, _lease), _work.Token, _kill.Token);
        if (!await EndsInTimeAsync(running).ConfigureAwait(false))
        {
            StageLog.StageIgnoresStop(logger, assignment.Step.RunId, assignment.Step.Name, options.StopGrace);
            _reports.Progress.Phase("ended: it did not stop in time");
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
        await _reports.SendRestAsync().ConfigureAwait(false);
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
        _reports.Progress.Phase("stopping: saving the position");
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
            Metrics = _reports.Progress.Metrics.Where(m => double.IsFinite(m.Value)).ToDictionary(),
            MemoryDivisor = assignment.MemoryDivisor,
        };
        await receipt.WriteAsync(artifacts, assignment.Step.Key, CancellationToken.None).ConfigureAwait(false);
    }

    private async Task FinishAsync(StepCommit commit)
    {
        var isLarge = commit.Outputs.Count + commit.Metrics.Count > MessageLimits.MostEntries || commit.Notes.Count > MessageLimits.MostNotes
            || commit.Notes.Sum(note => note.Length) > MessageLimits.MostNoteCharacters;
        var finished = new StepFinished
        {
            Step = assignment.Step,
            Fence = assignment.Fence,
            Worker = options.Name,
            IsInCommit = isLarge,
            Outputs = isLarge ? new Dictionary<string, ManifestRef>() : commit.Outputs,
            Metrics = isLarge ? new Dictionary<string, double>() : commit.Metrics,
            Notes = isLarge ? [] : commit.Notes,
            Duration = time.GetElapsedTime(_startedAt),
            PeakMemoryBytes = _peak,
        };
        Faults.Reach(FaultPoints.FinishSend);
        await _reports.SendAsync(_lease, token => orchestrator.ReportAsync(finished, token)).ConfigureAwait(false);
        Faults.Reach(FaultPoints.FinishAcknowledged);
    }

    private Task StoppedAsync() => _reason switch
    {
        StopReason.LeaseLost => Task.CompletedTask,
        StopReason.Shutdown => FailAsync(null, $"Worker {options.Name} shut down."),
        _ => FailAsync(null, _kill.IsCancellationRequested
            ? $"Stopped on request: its work was ended after {options.StopGrace.TotalSeconds:0.#} s."
            : "Stopped on request."),
    };

    /// <summary>Whether the failure is that of the store or of a disk; the store is asked, since an error alone does not tell.</summary>
    private async Task<bool> IsOutageAsync(Exception error)
    {
        if (FailureClassifier.IsOutage(error))
            return true;
        return FailureClassifier.Classify(error) == FailureClass.Transient
            && await new StoreProbe(artifacts.Blobs, time).FindProblemAsync(CancellationToken.None).ConfigureAwait(false) is not null;
    }

    private Task FailAsync(FailureClass? failure, string message, Digest? lostBlob = null, bool isOutage = false)
    {
        var failed = new StepFailed
        {
            Step = assignment.Step,
            Fence = assignment.Fence,
            Worker = options.Name,
            Failure = failure,
            Message = MessageLimits.Cut(message),
            LostBlob = lostBlob,
            IsOutage = isOutage,
        };
        Faults.Reach(FaultPoints.FailureSend);
        return _reports.SendAsync(_lease, token => orchestrator.ReportAsync(failed, token));
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
}
