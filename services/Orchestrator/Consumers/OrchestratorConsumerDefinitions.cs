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
