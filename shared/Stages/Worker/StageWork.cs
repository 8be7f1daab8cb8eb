using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Torch;

namespace Espalier.Stages.Worker;

/// <summary>What a runner needs to do the work of one attempt.</summary>
/// <param name="Assignment">The step.</param>
/// <param name="Progress">Where progress goes.</param>
/// <param name="MayPublish">False once the lease is over.</param>
internal sealed record StageWork(StepAssignment Assignment, ProgressRelay Progress, Func<bool> MayPublish);

/// <summary>Does the work of one attempt: here, or in a child process.</summary>
internal interface IStageRunner
{
    /// <summary>Runs the stage. Stops soon after the token is cancelled.</summary>
    /// <returns>The result and the peak memory in bytes.</returns>
    Task<(StageResult Result, long PeakMemoryBytes)> RunAsync(StageWork work, CancellationToken cancellationToken);
}

/// <summary>Runs the stage in this process.</summary>
internal sealed class InProcessStageRunner(OfferedStages stages, ArtifactStore artifacts, StageWorkerOptions options) : IStageRunner
{
    public async Task<(StageResult Result, long PeakMemoryBytes)> RunAsync(StageWork work, CancellationToken cancellationToken)
    {
        var assignment = work.Assignment;
        var context = new StageContext
        {
            Step = assignment.Step,
            Options = assignment.Options,
            Inputs = assignment.Inputs,
            Artifacts = artifacts,
            Cursor = new BlobCursor(artifacts.Blobs, assignment.Step.Key, work.MayPublish),
            Progress = work.Progress,
            Cache = Directory.CreateDirectory(options.CacheFolder),
            Device = assignment.Device,
        };
        PeakMemory.Reset();
        // Stages compute for long stretches without awaiting; on a thread of the pool they must not run the caller's loop.
        try
        {
            var result = await Task.Run(() => stages.Find(assignment.Kind).RunAsync(context, cancellationToken), CancellationToken.None).ConfigureAwait(false);
            return (result, PeakMemory.Read());
        }
        finally
        {
            TorchRuntime.ReleaseFreeMemory();
        }
    }
}
