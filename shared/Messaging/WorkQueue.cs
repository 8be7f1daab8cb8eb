using Espalier.Messaging.Broker;
using MassTransit;

namespace Espalier.Messaging;

/// <summary>How queues are made on the broker.</summary>
public static class WorkQueue
{
    /// <summary>
    /// What never changes about a queue of hints. What an operator may tune (lifetime, deliveries) is a policy of the broker
    /// (<see cref="BrokerDefinitions"/>), since a broker refuses a queue whose arguments differ from those that it was made with.
    /// </summary>
    internal static readonly IReadOnlyDictionary<string, object?> Arguments = new Dictionary<string, object?>
    {
        ["x-queue-type"] = "quorum",
        ["x-dead-letter-exchange"] = DeadLetters.Name,
    };

    /// <summary>
    /// For work hints: replicated, one at a time; a hint that was delivered too often goes to <see cref="DeadLetters"/>. Losing a hint
    /// costs a poll interval.
    /// </summary>
    public static void ConfigureHints(this IReceiveEndpointConfigurator endpoint)
    {
        endpoint.ConfigureConsumeTopology = false;
        endpoint.PrefetchCount = 1;
        endpoint.ConcurrentMessageLimit = 1;
        if (endpoint is not IRabbitMqReceiveEndpointConfigurator queue)
            return;
        queue.SetQuorumQueue();
        queue.SetQueueArgument("x-dead-letter-exchange", DeadLetters.Name);
    }
}
