using System.Diagnostics;
using Espalier.Contracts;

namespace Espalier.Stages.Worker.Isolation;

/// <summary>One attempt inside the work process.</summary>
internal sealed class WorkAttempt(StepAssignment assignment, InProcessStageRunner runner, WorkChannel channel, TimeProvider time)
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(200);
    private readonly ProgressRelay _progress = new(time);

    /// <summary>Does it and reports how it ended.</summary>
    public async Task RunAsync()
    {
        using var done = new CancellationTokenSource();
        var telling = TellAsync(done.Token);
        var outcome = await WorkAsync().ConfigureAwait(false);
        await done.CancelAsync().ConfigureAwait(false);
        await telling.ConfigureAwait(false);
        TellOnce();
        channel.Send(new WorkReport { Outcome = outcome });
    }

    private async Task<WorkOutcome> WorkAsync()
    {
        using var span = StageTelemetry.StartWork(assignment);
        try
        {
            var work = new StageWork(assignment, _progress, channel.Lease);
            var (result, peak) = await runner.RunAsync(work, channel.Stop, CancellationToken.None).ConfigureAwait(false);
            return new WorkOutcome { Result = result, PeakMemoryBytes = peak };
        }
        catch (OperationCanceledException) when (channel.Stop.IsCancellationRequested)
        {
            return new WorkOutcome { Message = "stopped", PeakMemoryBytes = PeakMemory.Read() };
        }
        catch (Exception e)
        {
            span?.SetStatus(ActivityStatusCode.Error, e.Message);
            await Console.Error.WriteLineAsync(e.ToString()).ConfigureAwait(false);
            return new WorkOutcome
            {
                Failure = FailureClassifier.Classify(e), Message = FailureClassifier.Describe(e), LostBlob = FailureClassifier.FindLostBlob(e),
                IsOutage = FailureClassifier.IsOutage(e), PeakMemoryBytes = PeakMemory.Read(),
            };
        }
    }

    private async Task TellAsync(CancellationToken done)
    {
        while (!done.IsCancellationRequested)
        {
            await Task.Delay(ProgressInterval, time, done).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            TellOnce();
        }
    }

    private void TellOnce()
    {
        if (_progress.Take(assignment.Step, assignment.Fence) is { } progress)
            channel.Send(new WorkReport { Progress = progress });
    }
}
