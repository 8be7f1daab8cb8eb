using MassTransit;

namespace Espalier.Messaging;

/// <summary>How queues are made on the broker.</summary>
public static class WorkQueue
{
    /// <summary>
    /// For work hints: replicated, bounded deliveries, short-lived messages, one at a time. Losing a hint costs a poll interval.
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
    }
}
