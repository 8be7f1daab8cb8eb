using System.Collections.Concurrent;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Resolution;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>
/// Finds out how much memory a step will need, so that only a worker with that much gets it. Asked only while a worker of its device class
/// says how much it has, and never for long: what nobody can tell in time is not known, and then any worker may take the step.
/// </summary>
/// <param name="database">Knows the workers.</param>
/// <param name="stages">Knows how long a worker counts as live.</param>
/// <param name="estimator">Makes who is asked about one step.</param>
/// <param name="time">Clock of the pauses.</param>
internal sealed class StepMemory(LedgerDatabase database, StageCatalog stages, Func<IStepEstimator> estimator, TimeProvider time)
{
    /// <summary>A kind whose workers did not answer is not asked again so soon.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<string, long> _silentSince = new(StringComparer.Ordinal);

    /// <summary>Peak memory of the step in bytes, roughly; null when it is not known.</summary>
    public async Task<long?> EstimateAsync(PlannedStep plan, StepResolution resolution, CancellationToken cancellationToken)
    {
        if (resolution.Code is not { Traits.IsEstimated: true } code || IsSilent(plan.Kind)
            || !await IsLimitedAsync(plan.Device, cancellationToken).ConfigureAwait(false))
        {
            return null;
        }
        var estimated = await estimator().EstimateAsync(code, new EstimateStep
        {
            Kind = plan.Kind, Name = plan.Name, Options = plan.Options, Device = plan.Device,
            Inputs =
            [
                .. resolution.Inputs.Select(i =>
                    new EstimateStepInput(i.Output, i.Step, i.Artifact.Kind == ArtifactKind.Checkpoint ? i.Artifact.Root : null)),
            ],
        }, cancellationToken).ConfigureAwait(false);
        if (estimated is null)
            _silentSince[plan.Kind] = time.GetTimestamp();
        return estimated?.MemoryBytes is > 0 and var bytes ? bytes : null;
    }

    private bool IsSilent(string kind) => _silentSince.TryGetValue(kind, out var since) && time.GetElapsedTime(since) < Pause;

    private async Task<bool> IsLimitedAsync(string device, CancellationToken cancellationToken) =>
        (await database.ReadAsync(connection => OfferedDevices.ReadAsync(connection, stages.Alive(database.Now)), cancellationToken)
            .ConfigureAwait(false)).Any(d => d.Class.Name == device && d.Class.MemoryBytes > 0);
}
