using Espalier.Messaging.Broker;
using MassTransit;

namespace Espalier.Messaging;

/// <summary>How queues are made on the broker.</summary>
public static class WorkQueue
{
    /// <summary>
    /// For work hints: replicated, short-lived messages, one at a time, and a limit of deliveries after which a hint goes to
    /// <see cref="DeadLetters"/>. Losing a hint costs a poll interval.
    /// </summary>
    public static void ConfigureHints(this IReceiveEndpointConfigurator endpoint, MessagingOptions options)
    {
        endpoint.ConfigureConsumeTopology = false;
        endpoint.PrefetchCount = 1;
        endpoint.ConcurrentMessageLimit = 1;
        if (endpoint is not IRabbitMqReceiveEndpointConfigurator queue)
            return;
        queue.SetQuorumQueue();
        queue.SetQueueArgument("x-delivery-limit", options.DeliveryLimit);
        queue.SetQueueArgument("x-message-ttl", options.HintLifetime);
        queue.SetQueueArgument("x-dead-letter-exchange", DeadLetters.Name);
    }
}
