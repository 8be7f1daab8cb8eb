using System.Data.Common;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.FaultInjection;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Expressions;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Resolution;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>
/// Takes steps whose needs are done, finds their inputs, their condition and their key, and makes them cached, skipped or
/// ready. It keeps nothing in memory: whatever it did not get to is found again in the ledger.
/// </summary>
internal sealed class StepScheduler(
    StepPreparations preparations, PlanResolution plans, Wakeups wakeups,
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
        var needs = await preparations.NeedsOfAsync(step, cancellationToken).ConfigureAwait(false);
        StepResolution resolution;
        try
        {
            var upstream = needs.ToDictionary(n => n.Name, n => (StepOutcome?)new StepOutcome(n.ReadOutputs(), n.ReadMetrics()));
            resolution = await plans.Decisions.ResolveAsync(plan, upstream, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is UserInputException or ExpressionException)
        {
            await preparations.RejectAsync(step, e.Message, cancellationToken).ConfigureAwait(false);
            return;
        }
        if (resolution.IsMet == false)
        {
            await preparations.SkipAsync(step, $"Its condition is false: {plan.When}", cancellationToken).ConfigureAwait(false);
            return;
        }
        if (resolution is not { Code: { } code, Digest: { } key })
            return; // nobody offers its kind now

        Faults.Reach(FaultPoints.StepPrepare);
        if (resolution.Outcome is { } outcome)
            await preparations.CachedAsync(step, key, resolution.Inputs, outcome.Outputs, outcome.Metrics, cancellationToken).ConfigureAwait(false);
        else
            await preparations.ReadyAsync(step, key, StageCatalog.OfferOf(code), resolution.Inputs, cancellationToken).ConfigureAwait(false);
    }
}
