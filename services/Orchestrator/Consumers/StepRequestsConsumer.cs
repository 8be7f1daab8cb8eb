using System.Text.Json;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Planning;
using MassTransit;

namespace Espalier.Orchestrator.Consumers;

/// <summary>Answers workers: claims, heartbeats, results, failures.</summary>
internal sealed class StepRequestsConsumer(StepLedger ledger, OrchestratorOptions options, ILogger<StepRequestsConsumer> logger) :
    IConsumer<ClaimStep>, IConsumer<StepHeartbeat>, IConsumer<StepFinished>, IConsumer<StepFailed>
{
    public async Task Consume(ConsumeContext<ClaimStep> context)
    {
        var claim = context.Message;
        var offers = claim.Offers.Select(o => StageCatalog.Offer(o.Kind, o.Version, o.NumericsClass)).ToList();
        var step = await ledger.ClaimAsync(claim.Worker, offers, claim.Devices, claim.Holding, context.CancellationToken).ConfigureAwait(false);
        if (step is null)
        {
            await context.RespondAsync(new NoStep()).ConfigureAwait(false);
            return;
        }
        OrchestratorLog.StepClaimed(logger, step.Run, step.Name, step.Attempt, step.Worker);
        await context.RespondAsync(Assign(step)).ConfigureAwait(false);
    }

    public async Task Consume(ConsumeContext<StepHeartbeat> context)
    {
        var verdict = await ledger.RenewAsync(context.Message, context.CancellationToken).ConfigureAwait(false);
        await context.RespondAsync(new HeartbeatAnswer { Verdict = verdict }).ConfigureAwait(false);
    }

    public async Task Consume(ConsumeContext<StepFinished> context)
    {
        var accepted = await ledger.FinishAsync(context.Message, context.CancellationToken).ConfigureAwait(false);
        await context.RespondAsync(new StepReportAnswer(accepted)).ConfigureAwait(false);
    }

    public async Task Consume(ConsumeContext<StepFailed> context)
    {
        var failed = context.Message;
        OrchestratorLog.AttemptFailed(logger, failed.Step.RunId, failed.Step.Name, failed.Fence, failed.Failure?.ToString() ?? "released", failed.Message);
        var accepted = await ledger.FailAsync(failed, context.CancellationToken).ConfigureAwait(false);
        await context.RespondAsync(new StepReportAnswer(accepted)).ConfigureAwait(false);
    }

    private StepAssignment Assign(StepRow step) => new()
    {
        Step = new StepAddress(step.Run, step.Name, step.Key!.Value),
        Kind = step.Kind,
        Fence = step.Attempt,
        Lease = options.Lease,
        Options = JsonSerializer.Deserialize<PlannedStep>(step.Plan, WireJson.Options)!.Options,
        Inputs = step.ReadInputs(),
        Device = step.Device,
    };
}
