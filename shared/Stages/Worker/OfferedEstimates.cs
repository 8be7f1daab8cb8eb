using Espalier.Contracts;
using Espalier.Messaging;
using MassTransit;
using Microsoft.Extensions.Hosting;

namespace Espalier.Stages.Worker;

/// <summary>Estimates that a process can give.</summary>
public interface IOfferedEstimates
{
    /// <summary>Kinds that have an estimate.</summary>
    IReadOnlyCollection<string> Kinds { get; }

    /// <summary>The estimate of a step; null when it cannot be given.</summary>
    Task<StepEstimated?> EstimateAsync(EstimateStep step, CancellationToken cancellationToken);
}

/// <summary>Answers requests for estimates, also while every slot of the worker is busy: an estimate reads headers only.</summary>
internal sealed class EstimateListener(IBus bus, OfferedStages stages) : IHostedService
{
    private readonly List<HostReceiveEndpointHandle> _handles = [];

    public Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var kind in stages.EstimatedKinds)
            _handles.Add(bus.ConnectReceiveEndpoint(EndpointNames.Estimates(kind), Configure));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.WhenAll(_handles.Select(h => h.StopAsync(cancellationToken)));

    private void Configure(IReceiveEndpointConfigurator endpoint)
    {
        endpoint.ConfigureConsumeTopology = false;
        endpoint.Handler<EstimateStep>(async context => await context.RespondAsync(
            await stages.EstimateAsync(context.Message, context.CancellationToken).ConfigureAwait(false) ?? new StepEstimated()).ConfigureAwait(false));
    }
}
