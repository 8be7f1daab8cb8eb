using Espalier.Contracts;
using Espalier.FaultInjection;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;
using MassTransit;

namespace Espalier.Orchestrator.Consumers;

/// <summary>Listens to workers: what they offer, how far they are.</summary>
internal sealed class WorkerEventsConsumer(StageCatalog stages, LiveProgress progress, ILogger<WorkerEventsConsumer> logger) :
    IConsumer<StageAdvertised>, IConsumer<StepProgress>
{
    public Task Consume(ConsumeContext<StageAdvertised> context)
    {
        var stage = context.Message;
        Faults.Reach(FaultPoints.OfferReceived);
        OrchestratorLog.StageOffered(logger, stage.Kind, stage.Device, stage.Worker, stage.Version);
        return stages.AdvertiseAsync(stage, context.CancellationToken);
    }

    public Task Consume(ConsumeContext<StepProgress> context)
    {
        Faults.Reach(FaultPoints.ProgressReceived);
        return progress.TakeAsync(context.Message, context.CancellationToken);
    }
}
