using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.FaultInjection;

namespace Espalier.Stages.Worker;

/// <summary>What a runner needs to do the work of one attempt.</summary>
/// <param name="Assignment">The step, with all its inputs.</param>
/// <param name="Progress">Where progress goes.</param>
/// <param name="Lease">The lease: once it is over, nothing may be written.</param>
internal sealed record StageWork(StepAssignment Assignment, ProgressRelay Progress, StepLease Lease);

/// <summary>Does the work of one attempt: here, or in a child process.</summary>
internal interface IStageRunner
{
    /// <summary>Runs the stage.</summary>
    /// <param name="work">What to do.</param>
    /// <param name="stop">Asks the stage to save its position and stop.</param>
    /// <param name="kill">Ends the work now, where the runner can.</param>
    /// <returns>The result and the peak memory in bytes.</returns>
    /// <exception cref="OperationCanceledException">It stopped because it was asked to.</exception>
    Task<(StageResult Result, long PeakMemoryBytes)> RunAsync(StageWork work, CancellationToken stop, CancellationToken kill);
}

/// <summary>Runs the stage in this process.</summary>
internal sealed class InProcessStageRunner(OfferedStages stages, ArtifactStore artifacts, StageWorkerOptions options, IStageEngine? engine = null)
    : IStageRunner
{
    public async Task<(StageResult Result, long PeakMemoryBytes)> RunAsync(StageWork work, CancellationToken stop, CancellationToken kill)
    {
        var assignment = work.Assignment;
        var device = options.ClassOf(assignment.Device);
        var execution = new StageExecution
        {
            Stage = stages.Find(assignment.Kind),
            Step = assignment.Step,
            Options = assignment.Options,
            Inputs = assignment.Inputs,
            Artifacts = artifacts,
            Cursor = new BlobCursor(artifacts.Blobs, assignment.Step.Key, () => !work.Lease.IsOver),
            Progress = work.Progress,
            CacheFolder = options.CacheFolder,
            Device = device.IsPretended ? DeviceNames.Cpu : assignment.Device,
            PretendedDevice = device.IsPretended ? device.Name : null,
            MemoryDivisor = assignment.MemoryDivisor,
            MemoryBytes = device.SlotBytes,
            KeyWith = options => stages.KeyOf(assignment with { Options = options }).ToDigest(),
            Engine = engine,
        };
        PeakMemory.Reset();
        stages.CheckNumerics(assignment);
        Faults.Reach(FaultPoints.WorkBegin);
        var result = await execution.RunAsync(stop).ConfigureAwait(false);
        Faults.Reach(FaultPoints.WorkResult);
        return (result, PeakMemory.Read());
    }
}
