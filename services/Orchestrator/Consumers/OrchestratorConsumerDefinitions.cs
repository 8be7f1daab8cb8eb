using System.Data.Common;
using Espalier.Messaging;
using MassTransit;

namespace Espalier.Orchestrator.Consumers;

/// <summary>Requests share one queue. They expire with their caller's patience, so an outage leaves nothing to catch up on.</summary>
internal sealed class StepRequestsDefinition : ConsumerDefinition<StepRequestsConsumer>
{
    public StepRequestsDefinition() => EndpointName = EndpointNames.Orchestrator;
}

/// <inheritdoc cref="StepRequestsDefinition"/>
internal sealed class RunRequestsDefinition : ConsumerDefinition<RunRequestsConsumer>
{
    public RunRequestsDefinition() => EndpointName = EndpointNames.Orchestrator;
}

/// <summary>Events have a queue of their own, so that much progress never delays a heartbeat.</summary>
internal sealed class WorkerEventsDefinition : ConsumerDefinition<WorkerEventsConsumer>
{
    public WorkerEventsDefinition() => EndpointName = $"{EndpointNames.Orchestrator}-events";
}

/// <summary>
/// The registry's events start runs, so none is given up while the ledger is away: a delivery waits and is tried again, and goes back to
/// the queue when the process ends.
/// </summary>
internal sealed class RegistryEventsDefinition : ConsumerDefinition<RegistryEventsConsumer>
{
    private const int Tries = 100_000, AtOnce = 8;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    public RegistryEventsDefinition()
    {
        EndpointName = EndpointNames.Triggers;
        ConcurrentMessageLimit = AtOnce;
    }

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator, IConsumerConfigurator<RegistryEventsConsumer> consumerConfigurator, IRegistrationContext context) =>
        endpointConfigurator.UseMessageRetry(retry =>
        {
            retry.Handle<DbException>();
            retry.Interval(Tries, Pause);
        });
}
