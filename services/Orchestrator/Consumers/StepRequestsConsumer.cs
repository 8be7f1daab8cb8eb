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
    StepLedger ledger, StageCatalog stages, RunTraces traces, ArtifactStore artifacts, OrchestratorOptions options, ILogger<StepRequestsConsumer> logger) :
    IConsumer<ClaimStep>, IConsumer<StepHeartbeat>, IConsumer<StepFinished>, IConsumer<StepFailed>
{
    private readonly LostInputs _lostInputs = new(ledger, artifacts);

    public async Task Consume(ConsumeContext<ClaimStep> context)
    {
        var claim = context.Message;
        Faults.Reach(FaultPoints.ClaimReceived);
        while (await ledger.ClaimAsync(claim, context.CancellationToken).ConfigureAwait(false) is { } step)
        {
            using var span = OrchestratorTelemetry.Start("step claim", step.Run, step.Name,
                await traces.FindAsync(step.Run, context.CancellationToken).ConfigureAwait(false));
            OrchestratorLog.StepClaimed(logger, step.Run, step.Name, step.Attempt, step.Worker);
            if (await TryAssignAsync(step, span?.Id, context.CancellationToken).ConfigureAwait(false) is not { } assignment)
                continue;
            Faults.Reach(FaultPoints.ClaimAnswer);
            await context.RespondAsync(assignment).ConfigureAwait(false);
            return;
        }
        var isKnown = await stages.KnowsAsync(claim.Offers, claim.Devices, context.CancellationToken).ConfigureAwait(false);
        await context.RespondAsync(new NoStep { WantsOffers = !isKnown }).ConfigureAwait(false);
    }

    /// <summary>
    /// The assignment of a claimed step. A step that cannot be assigned ends its attempt here: its worker knows nothing of it, and
    /// would be handed it again and again instead of other work.
    /// </summary>
    private async Task<StepAssignment?> TryAssignAsync(StepRow step, string? trace, CancellationToken cancellationToken)
    {
        try
        {
            return await InputLists.ShrinkAsync(Assign(step) with { Trace = trace }, artifacts, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && e is not System.Data.Common.DbException)
        {
            OrchestratorLog.StepNotAssigned(logger, step.RunId, step.Name, e);
            await ledger.FailAsync(new StepFailed
            {
                Step = new StepAddress(step.Run, step.Name, Digest.TryParse(step.StepKey, out var key) ? key : default),
                Fence = step.Attempt,
                Worker = step.Worker ?? "",
                Failure = StoreFailure.Is(e) ? FailureClass.Transient : FailureClass.Poison,
                Message = MessageLimits.Cut(StoreFailure.Is(e) ? StoreFailure.Describe(e) : $"It cannot be handed to a worker: {e.Message}"),
                IsOutage = StoreFailure.Is(e),
            }, null, cancellationToken).ConfigureAwait(false);
            return null;
        }
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
        var loss = await _lostInputs.FindAsync(failed, context.CancellationToken).ConfigureAwait(false);
        var accepted = await ledger.FailAsync(failed, loss, context.CancellationToken).ConfigureAwait(false);
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
                $"Step '{finished.Step.Name}' of run {finished.Step.RunId} is reported as committed, but the store has no commit of "
                    + $"{finished.Step.Key.Short}.");
        return finished with { Outputs = commit.Outputs, Metrics = commit.Metrics, Notes = commit.Notes };
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
        NumericsClass = step.Offer is null ? null : StageCatalog.NumericsClassOf(step.Offer),
        MemoryDivisor = step.MemoryDivisor,
    };
}
