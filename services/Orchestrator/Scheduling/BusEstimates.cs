using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.Pipelines.Keys;
using Espalier.Pipelines.Resolution;
using MassTransit;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>
/// Asks workers for the estimates of one plan. Never for long: a kind whose workers did not answer is not asked again, and
/// when the time for the plan is over, nobody is.
/// </summary>
internal sealed class BusEstimates(IBus bus, TimeProvider time) : IStepEstimator
{
    private static readonly TimeSpan PerStep = TimeSpan.FromSeconds(2), PerPlan = TimeSpan.FromSeconds(5);
    private readonly HashSet<string> _silent = [];
    private readonly long _began = time.GetTimestamp();

    public async Task<StepEstimated?> EstimateAsync(StageCode code, EstimateStep step, CancellationToken cancellationToken)
    {
        if (!code.Traits.IsEstimated || _silent.Contains(step.Kind) || time.GetElapsedTime(_began) > PerPlan)
            return null;
        try
        {
            var client = bus.CreateRequestClient<EstimateStep>(EndpointNames.AddressOf(EndpointNames.Estimates(step.Kind)), PerStep);
            return (await client.GetResponse<StepEstimated>(step, cancellationToken).WaitAsync(PerStep, time, cancellationToken).ConfigureAwait(false)).Message;
        }
        catch (Exception e) when (e is RequestException or MassTransitException or TimeoutException)
        {
            _silent.Add(step.Kind);
            return null;
        }
    }
}
