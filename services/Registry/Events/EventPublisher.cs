using System.Text.Json;
using Espalier.Contracts;
using Espalier.Database;
using MassTransit;

namespace Espalier.Registry.Events;

/// <summary>
/// Publishes the registry's events on the bus. An event for which the broker has no queue yet, since no orchestrator has ever listened
/// there, comes back and stays in the outbox: it is tried again until somebody can hear it.
/// </summary>
internal sealed class EventPublisher(IBus bus) : IOutboxPublisher
{
    public Task PublishAsync(OutboxMessage message, CancellationToken cancellationToken) => message.Type switch
    {
        RegistryEvents.ModelRegistered => PublishAsync<ModelRegistered>(message.Body, cancellationToken),
        RegistryEvents.AliasMoved => PublishAsync<AliasMoved>(message.Body, cancellationToken),
        RegistryEvents.GateDecided => PublishAsync<GateDecided>(message.Body, cancellationToken),
        _ => throw new InvalidDataException($"The outbox holds an event of the unknown kind '{message.Type}'."),
    };

    private Task PublishAsync<T>(string body, CancellationToken cancellationToken) where T : class =>
        bus.Publish(JsonSerializer.Deserialize<T>(body, WireJson.Options)!, context => context.Mandatory = true, cancellationToken);
}
