using System.Diagnostics;
using Espalier.Contracts;

namespace Espalier.Stages.Worker.Isolation;

/// <summary>
/// Runs the stage in a work process. Whatever happens there, a crash in native code, a kill for memory, a loop that never
/// ends, the worker goes on, keeps its lease and says what happened.
/// </summary>
/// <param name="classes">The processes of each device class; a process sees the devices of its class only.</param>
/// <param name="options">The worker's settings.</param>
/// <param name="stages">What it offers.</param>
internal sealed class ChildProcessStageRunner(IReadOnlyDictionary<string, WorkProcesses> classes, StageWorkerOptions options, OfferedStages stages)
    : IStageRunner, IAsyncDisposable
{
    private static readonly TimeSpan LeaseInterval = TimeSpan.FromMilliseconds(500);

    public async Task<(StageResult Result, long PeakMemoryBytes)> RunAsync(StageWork work, CancellationToken stop, CancellationToken kill)
    {
        var processes = classes[options.ClassOf(work.Assignment.Device).Name];
        // The tensor library counts its threads when it is loaded: another number takes another process, which serves this attempt only.
        var isSpecial = stages.OtherThreads(work.Assignment) is not null;
        var process = isSpecial ? processes.Start() : processes.Take();
        var killsBefore = MemoryKills.Count();
        WorkOutcome? outcome = null;
        try
        {
            await using var onKill = kill.Register(process.Kill).ConfigureAwait(false);
            await using var onStop = stop.Register(() => _ = process.SendAsync(new WorkOrder { Stop = true })).ConfigureAwait(false);
            outcome = await DoAsync(process, work, stop).ConfigureAwait(false);
        }
        catch
        {
            await processes.EndAsync(process).ConfigureAwait(false);
            throw;
        }
        finally
        {
            if (outcome is { Failure: null } && !isSpecial)
                await processes.GiveBackAsync(process).ConfigureAwait(false);
            else if (outcome is not null)
                await processes.EndAsync(process).ConfigureAwait(false);
        }
        return outcome switch
        {
            { Result: { } result } => (result, outcome.PeakMemoryBytes),
            { Failure: { } failure } => throw new StageFailedException(failure, outcome.Message, outcome.LostBlob, outcome.IsOutage),
            not null => throw new OperationCanceledException("The stage stopped on request.", stop),
            null => throw await DescribeEndAsync(processes, process, work, killsBefore, kill).ConfigureAwait(false),
        };
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var processes in classes.Values)
            await processes.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Sends the assignment, then hands on progress until the outcome; null when the process ended without one.</summary>
    private static async Task<WorkOutcome?> DoAsync(WorkProcess process, StageWork work, CancellationToken stop)
    {
        using var ended = new CancellationTokenSource();
        var assignment = work.Assignment with { Trace = Activity.Current?.Id ?? work.Assignment.Trace };
        if (!await process.SendAsync(new WorkOrder { Lease = work.Lease.Remaining }).ConfigureAwait(false)
            || !await process.SendAsync(new WorkOrder { Assignment = assignment }).ConfigureAwait(false))
            return null;
        // Asked to stop before it began: the order came before the assignment that it is for.
        if (stop.IsCancellationRequested)
            await process.SendAsync(new WorkOrder { Stop = true }).ConfigureAwait(false);
        var telling = TellLeaseAsync(process, work.Lease, ended.Token);
        try
        {
            while (await process.ReceiveAsync().ConfigureAwait(false) is { } report)
            {
                if (report.Progress is { } progress)
                    work.Progress.Merge(progress);
                if (report.Outcome is { } outcome)
                    return outcome;
            }
            return null;
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await telling.ConfigureAwait(false);
        }
    }

    /// <summary>The work process fences itself too: it counts the lease down by its own clock, even when this process is frozen.</summary>
    private static async Task TellLeaseAsync(WorkProcess process, StepLease lease, CancellationToken ended)
    {
        while (!ended.IsCancellationRequested)
        {
            await Task.Delay(LeaseInterval, ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!ended.IsCancellationRequested && !await process.SendAsync(new WorkOrder { Lease = lease.Remaining }).ConfigureAwait(false))
                return;
        }
    }

    private static async Task<Exception> DescribeEndAsync(
        WorkProcesses processes, WorkProcess process, StageWork work, long killsBefore, CancellationToken kill)
    {
        var code = await process.EndAsync().ConfigureAwait(false);
        var lines = process.LastLines;
        await processes.EndAsync(process).ConfigureAwait(false);
        if (kill.IsCancellationRequested)
            return new OperationCanceledException("The work process was ended because it did not stop.", kill);
        foreach (var line in lines)
            work.Progress.Log(line);
        return WorkProcessEnd.Describe(code, MemoryKills.Count() > killsBefore, lines);
    }
}
