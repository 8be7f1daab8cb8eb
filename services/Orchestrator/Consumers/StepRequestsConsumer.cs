using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.FaultInjection;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Planning;
using Espalier.Stages.Worker;
using MassTransit;

namespace Espalier.Orchestrator.Consumers;

/// <summary>Answers workers: claims, heartbeats, results, failures.</summary>
internal sealed class StepRequestsConsumer(
    StepLedger ledger, RunTraces traces, ArtifactStore artifacts, OrchestratorOptions options, ILogger<StepRequestsConsumer> logger) :
    IConsumer<ClaimStep>, IConsumer<StepHeartbeat>, IConsumer<StepFinished>, IConsumer<StepFailed>
{
    public async Task Consume(ConsumeContext<ClaimStep> context)
    {
        var claim = context.Message;
        Faults.Reach(FaultPoints.ClaimReceived);
        var offers = claim.Offers.Select(o => StageCatalog.Offer(o.Kind, o.Version, o.NumericsClass)).ToList();
        var step = await ledger.ClaimAsync(claim, offers, context.CancellationToken).ConfigureAwait(false);
        if (step is null)
        {
            await context.RespondAsync(new NoStep()).ConfigureAwait(false);
            return;
        }
        using var span = OrchestratorTelemetry.Start("step claim", step.Run, step.Name,
            await traces.FindAsync(step.Run, context.CancellationToken).ConfigureAwait(false));
        OrchestratorLog.StepClaimed(logger, step.Run, step.Name, step.Attempt, step.Worker);
        var assignment = await InputLists.ShrinkAsync(Assign(step) with { Trace = span?.Id }, artifacts, context.CancellationToken).ConfigureAwait(false);
        Faults.Reach(FaultPoints.ClaimAnswer);
        await context.RespondAsync(assignment).ConfigureAwait(false);
    }

    public async Task Consume(ConsumeContext<StepHeartbeat> context)
    {
        Faults.Reach(FaultPoints.HeartbeatReceived);
        var verdict = await ledger.RenewAsync(context.Message, context.CancellationToken).ConfigureAwait(false);
        Faults.Reach(FaultPoints.HeartbeatAnswer);
        await context.RespondAsync(new HeartbeatAnswer { Verdict = verdict }).ConfigureAwait(false);
    }

    public async Task Consume(ConsumeContext<StepFinished> context)
    {
        Faults.Reach(FaultPoints.FinishReceived);
        using var span = OrchestratorTelemetry.Start(
            "step finish", context.Message.Step.RunId, context.Message.Step.Name,
                await traces.FindAsync(context.Message.Step.RunId, context.CancellationToken).ConfigureAwait(false));
        var finished = await WholeAsync(context.Message, context.CancellationToken).ConfigureAwait(false);
        var accepted = await ledger.FinishAsync(finished, context.CancellationToken).ConfigureAwait(false);
        if (accepted)
            OrchestratorTelemetry.Finished(finished.Duration, finished.Outputs.Values.Sum(o => o.SizeBytes));
        Faults.Reach(FaultPoints.FinishAnswer);
        await context.RespondAsync(new StepReportAnswer(accepted)).ConfigureAwait(false);
    }

    public async Task Consume(ConsumeContext<StepFailed> context)
    {
        var failed = context.Message;
        Faults.Reach(FaultPoints.FailureReceived);
        OrchestratorLog.AttemptFailed(logger, failed.Step.RunId, failed.Step.Name, failed.Fence, failed.Failure?.ToString() ?? "released", failed.Message);
        using var span = OrchestratorTelemetry.Start(
            "step fail", failed.Step.RunId, failed.Step.Name, await traces.FindAsync(failed.Step.RunId, context.CancellationToken).ConfigureAwait(false));
        var accepted = await ledger.FailAsync(failed, context.CancellationToken).ConfigureAwait(false);
        if (accepted)
            OrchestratorTelemetry.Failed(failed.Failure is { } failure ? EnumText.Of(failure) : "released");
        await context.RespondAsync(new StepReportAnswer(accepted)).ConfigureAwait(false);
    }

    private async Task<StepFinished> WholeAsync(StepFinished finished, CancellationToken cancellationToken)
    {
        if (!finished.IsInCommit)
            return finished;
        var commit = await artifacts.FindStepAsync(finished.Step.Key, cancellationToken).ConfigureAwait(false)
            ?? throw new IOException(
                $"Step '{finished.Step.Name}' of run {finished.Step.RunId} is reported as committed, but the store has no commit of {finished.Step.Key.Short}.");
        return finished with { Outputs = commit.Outputs, Metrics = commit.Metrics };
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
        MemoryDivisor = step.MemoryDivisor,
    };
}
