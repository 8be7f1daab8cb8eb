using System.Text.Json;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Messaging;
using Espalier.Orchestrator.Ledger;
using MassTransit;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>Sends messages of the ledger's outbox over the bus.</summary>
internal sealed class BusPublisher(IBus bus, MessagingOptions messaging) : IOutboxPublisher
{
    public async Task PublishAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        if (!LedgerMessages.Types.TryGetValue(message.Type, out var type))
            throw new InvalidDataException($"The outbox holds a message of the unknown type '{message.Type}'.");
        var body = JsonSerializer.Deserialize(message.Body, type, WireJson.Options)!;
        if (message.Destination.Length == 0)
        {
            await bus.Publish(body, type, cancellationToken).ConfigureAwait(false);
            return;
        }
        var endpoint = await bus.GetSendEndpoint(EndpointNames.AddressOf(message.Destination)).ConfigureAwait(false);
        // Each hint says itself how long it lives, whoever made its queue.
        await endpoint.Send(body, type, Pipe.Execute<SendContext>(c => c.TimeToLive = messaging.HintLifetime), cancellationToken).ConfigureAwait(false);
    }
}
