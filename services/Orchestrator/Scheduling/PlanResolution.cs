using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Resolution;
using MassTransit;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>Resolves plans against the stages that workers offer and the results that the store has.</summary>
internal sealed class PlanResolution(StageCatalog stages, ArtifactStore artifacts, IBus bus, TimeProvider time, WorkerRooms rooms)
{
    private static readonly TimeSpan ReceiptLimit = TimeSpan.FromSeconds(1);
    private readonly StoredSteps _stored = new(artifacts);

    /// <summary>For the scheduler: decisions, no estimates.</summary>
    public PlanResolver Decisions => new(stages, _stored);

    /// <summary>Everything about a plan, with costs and reasons.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <param name="before">Work that began later is left out; null takes all.</param>
    public async Task<ResolvedPlan> ResolveAsync(PipelinePlan plan, CancellationToken cancellationToken, DateTimeOffset? before = null)
    {
        var past = await _stored.ReadPastAsync(ReceiptLimit, cancellationToken, before).ConfigureAwait(false);
        return await new PlanResolver(stages, _stored, new BusEstimates(bus, time), past, rooms).ResolveAsync(plan, cancellationToken).ConfigureAwait(false);
    }
}
