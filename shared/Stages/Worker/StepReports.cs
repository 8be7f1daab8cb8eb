using Espalier.Contracts;
using Espalier.FaultInjection;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace Espalier.Stages.Worker;

/// <summary>What an attempt says to the orchestrator: progress now and then, and at last how it ended.</summary>
internal sealed class StepReports(StepAssignment assignment, OrchestratorClient orchestrator, TimeProvider time, ILogger logger)
{
    private const int MostLastMessages = 20;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500), Pause = TimeSpan.FromMilliseconds(200);

    /// <summary>What the stage reports.</summary>
    public ProgressRelay Progress { get; } = new(time);

    /// <summary>Whether an exception says that a request got no answer: the broker, the network or the orchestrator is away.</summary>
    public static bool IsLost(Exception e) =>
        e is RequestException or MassTransitException or OperationCanceledException or TimeoutException or IOException
            || e.GetType().Namespace == "RabbitMQ.Client.Exceptions";

    /// <summary>Repeats a report until it is answered or the lease is over; then the next attempt finds the commit.</summary>
    public async Task SendAsync(StepLease lease, Func<CancellationToken, Task<bool>> report)
    {
        while (!lease.IsOver)
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
                await Task.Delay(Pause, time).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Sends progress until the attempt is done.</summary>
    public async Task SendUntilAsync(CancellationToken done)
    {
        while (!done.IsCancellationRequested)
        {
            await Task.Delay(Interval, time, done).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!done.IsCancellationRequested)
                await SendOnceAsync(done).ConfigureAwait(false);
        }
    }

    /// <summary>Sends everything that was not sent yet, such as the last lines of a work process that crashed.</summary>
    public async Task SendRestAsync()
    {
        var isSent = true;
        for (var message = 0; message < MostLastMessages && isSent; message++)
            isSent = await SendOnceAsync(CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>False when there is nothing new, or nobody takes it.</summary>
    private async Task<bool> SendOnceAsync(CancellationToken cancellationToken)
    {
        if (Progress.Take(assignment.Step, assignment.Fence) is not { } progress)
            return false;
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(Interval * 4);
        try
        {
            Faults.Reach(FaultPoints.ProgressSend);
            await orchestrator.PublishAsync(progress, limited.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (IsLost(e))
        {
            return false; // the next one follows
        }
    }
}
