using System.Threading.Channels;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Resolution;

namespace Espalier.Orchestrator.Results;

/// <summary>What a step was expected to cost before it ran.</summary>
/// <param name="Name">The step.</param>
/// <param name="Decision">What would become of it.</param>
/// <param name="Seconds">Wall time, scaled from like work; null when there was none.</param>
/// <param name="NewBytes">Bytes that it would add to the store; null when unknown.</param>
/// <param name="MemoryBytes">Peak memory; null when unknown.</param>
public sealed record StepEstimate(string Name, StepDecision Decision, double? Seconds, long? NewBytes, long? MemoryBytes);

/// <summary>
/// Estimates runs that were just submitted, so that what they take can be compared with what was expected. A run does not wait for it, and
/// one that nobody got to in time has no estimate: it only explains.
/// </summary>
internal sealed class RunEstimates(LedgerDatabase database, PlanResolution plans, TimeProvider time, ILogger<RunEstimates> logger) : BackgroundService
{
    private const int MostWaiting = 16, MostSteps = 1000;

    // Under many runs a second most go without: estimating is never what a run waits for.
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(200);

    private readonly Channel<(Guid RunId, PipelinePlan Plan, DateTimeOffset At)> _submitted = Channel.CreateBounded<(Guid, PipelinePlan, DateTimeOffset)>(
        new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    /// <summary>Takes a run that was submitted now.</summary>
    public void Add(Guid runId, PipelinePlan plan)
    {
        if (plan.Steps.Count <= MostSteps)
            _submitted.Writer.TryWrite((runId, plan, time.GetUtcNow()));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var (runId, plan, at) in _submitted.Reader.ReadAllAsync(stoppingToken).ConfigureAwait(false))
        {
            try
            {
                var resolved = await plans.ResolveAsync(plan, stoppingToken, at).ConfigureAwait(false);
                await WriteAsync(runId, resolved, stoppingToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                OrchestratorLog.RunNotEstimated(logger, runId, e);
            }
            await Task.Delay(Breath, time, stoppingToken).ConfigureAwait(false);
        }
    }

    private Task WriteAsync(Guid runId, ResolvedPlan plan, CancellationToken cancellationToken)
    {
        var steps = plan.Steps.Select(s => new StepEstimate(s.Name, s.Decision, s.Seconds, s.NewBytes, s.MemoryBytes)).ToList();
        return database.WriteAsync(
            transaction => transaction.ExecuteAsync(
                "insert into run_estimate (run_id, body) values (@runId, @body) on conflict (run_id) do nothing",
                new { runId = runId.ToString(), body = JsonColumn.Write(steps) }), cancellationToken);
    }
}
