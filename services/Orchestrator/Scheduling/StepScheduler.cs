using System.Data.Common;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.FaultInjection;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Expressions;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>
/// Takes steps whose needs are done, finds their inputs, their condition and their key, and makes them cached, skipped or
/// ready. It keeps nothing in memory: whatever it did not get to is found again in the ledger.
/// </summary>
internal sealed class StepScheduler(
    StepPreparations preparations, StageCatalog stages, ArtifactStore artifacts, Wakeups wakeups,
    OrchestratorOptions options, TimeProvider time, ILogger<StepScheduler> logger) : BackgroundService
{
    private const int Batch = 64;

    // Steps whose failure is in the log; one damaged row must not fill it.
    private readonly HashSet<long> _reported = [];

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => new DatabaseLoop("The scheduler", time, logger).RunAsync(
        async token => await PrepareAsync(token).ConfigureAwait(false) > 0,
        token => wakeups.Scheduler.WaitAsync(options.SweepInterval, time, token), options.SweepInterval, stoppingToken);

    /// <summary>Prepares one batch; returns the number of steps in it that could be looked at.</summary>
    internal async Task<int> PrepareAsync(CancellationToken cancellationToken)
    {
        var steps = await preparations.ListAsync(Batch, cancellationToken).ConfigureAwait(false);
        var prepared = 0;
        foreach (var step in steps)
        {
            try
            {
                await PrepareAsync(step, cancellationToken).ConfigureAwait(false);
                prepared++;
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested && e is not DbException)
            {
                if (_reported.Add(step.Id))
                    OrchestratorLog.StepNotPrepared(logger, step.RunId, step.Name, e);
            }
        }
        return prepared;
    }

    private async Task PrepareAsync(StepRow step, CancellationToken cancellationToken)
    {
        var plan = JsonColumn.Read<PlannedStep>(step.Plan)!;
        var needs = (await preparations.NeedsOfAsync(step, cancellationToken).ConfigureAwait(false)).ToDictionary(n => n.Name);
        IReadOnlyList<StepInput> inputs;
        try
        {
            if (plan.When is not null && !Condition.Parse(plan.When).IsMet(name => needs.TryGetValue(name, out var need) ? need.ReadMetrics() : null))
            {
                await preparations.SkipAsync(step, $"Its condition is false: {plan.When}", cancellationToken).ConfigureAwait(false);
                return;
            }
            inputs = [.. plan.Inputs.Select(i => Resolve(step, i, needs))];
        }
        catch (Exception e) when (e is UserInputException or ExpressionException)
        {
            await preparations.RejectAsync(step, e.Message, cancellationToken).ConfigureAwait(false);
            return;
        }
        if (await stages.FindLiveAsync(step.Kind, step.Device, cancellationToken).ConfigureAwait(false) is not { } stage)
            return;

        Faults.Reach(FaultPoints.StepPrepare);
        var key = stage.Code.KeyOf(plan.Options, inputs).ToDigest();
        if (await artifacts.FindIntactStepAsync(key, cancellationToken).ConfigureAwait(false) is { } commit)
            await preparations.CachedAsync(step, key, inputs, commit.Outputs, commit.Metrics, cancellationToken).ConfigureAwait(false);
        else
            await preparations.ReadyAsync(step, key, stage.Offer, inputs, cancellationToken).ConfigureAwait(false);
    }

    private static StepInput Resolve(StepRow step, PlannedInput input, Dictionary<string, StepRow> needs)
    {
        if (input.Artifact is { } artifact)
            return new StepInput(input.Step, input.As, artifact);
        if (!needs.TryGetValue(input.Step, out var need))
            throw new UserInputException($"Step '{step.Name}' reads '{input.Step}.{input.Output}', but does not need that step.");
        var outputs = need.ReadOutputs();
        return outputs.TryGetValue(input.Output, out var made)
            ? new StepInput(input.Step, input.As, made)
            : throw new UserInputException(
                $"Step '{step.Name}' reads '{input.Step}.{input.Output}', but that step made only {string.Join(", ", outputs.Keys.Order(StringComparer.Ordinal))}.");
    }
}
