using Espalier.Contracts;
using Espalier.FaultInjection;
using Microsoft.Extensions.Logging;

namespace Espalier.Stages.Worker;

/// <summary>Why an attempt is told to stop.</summary>
internal enum StopReason
{
    None,
    Cancelled,
    LeaseLost,
    Shutdown,
}

/// <summary>Renews the lease of an attempt, and passes on what the orchestrator wants of it.</summary>
internal sealed class StepHeartbeats(
    StepAssignment assignment, StageWorkerOptions options, OrchestratorClient orchestrator, StepLease lease, ProgressRelay progress,
    Action<StopReason> stop, TimeProvider time, ILogger logger)
{
    /// <summary>Runs until the attempt is done.</summary>
    public async Task RunAsync(CancellationToken done)
    {
        var third = assignment.Lease / 3;
        var interval = options.HeartbeatInterval < third ? options.HeartbeatInterval : third;
        while (!done.IsCancellationRequested)
        {
            await Task.Delay(interval < lease.Remaining || lease.IsOver ? interval : lease.Remaining, time, done)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (done.IsCancellationRequested)
                return;
            await BeatAsync(done).ConfigureAwait(false);
            if (lease.IsOver)
                stop(StopReason.LeaseLost);
        }
    }

    private async Task BeatAsync(CancellationToken done)
    {
        using var untilOver = CancellationTokenSource.CreateLinkedTokenSource(done);
        if (lease.Remaining > TimeSpan.Zero)
            untilOver.CancelAfter(lease.Remaining);
        var mark = lease.Mark();
        var (units, total, rate) = progress.Position;
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
                    lease.Renew(mark);
                    break;
                case LeaseVerdict.Cancel:
                    lease.Renew(mark);
                    stop(StopReason.Cancelled);
                    break;
                default:
                    stop(StopReason.LeaseLost);
                    break;
            }
        }
        catch (Exception e) when (StepReports.IsLost(e))
        {
            if (!done.IsCancellationRequested)
                StageLog.RequestFailed(logger, "heartbeat", e.Message);
        }
    }
}
