using System.Text.Json;
using Dapper;
using Espalier.Contracts;
using MassTransit;

namespace Espalier.Registry.Events;

/// <summary>Publishes what the outbox holds on the bus, in order, each at least once; webhooks get their deliveries in the same step.</summary>
internal sealed class EventDispatcher(RegistryDatabase database, Webhooks webhooks, IBus bus, TimeProvider time, ILogger<EventDispatcher> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan PublishLimit = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await DispatchAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                RegistryLog.DispatchFailed(logger, e.Message); // the rows stay; the next round tries again
            }
            await Task.Delay(Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One round.</summary>
    internal async Task DispatchAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        foreach (var item in await EventFeed.UnpublishedAsync(connection).ConfigureAwait(false))
        {
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limited.CancelAfter(PublishLimit);
            await (item.Kind == RegistryEvents.ModelRegistered
                ? PublishAsync<ModelRegistered>(item, limited.Token)
                : PublishAsync<AliasMoved>(item, limited.Token)).ConfigureAwait(false);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await webhooks.ScheduleAsync(connection, transaction, item).ConfigureAwait(false);
            await connection.ExecuteAsync("update registry_event set published = 1 where id = @Id", new { item.Id }, transaction).ConfigureAwait(false);
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private Task PublishAsync<T>(RegistryEvent item, CancellationToken cancellationToken) where T : class =>
        bus.Publish(JsonSerializer.Deserialize<T>(item.Body, WireJson.Options)!, cancellationToken);
}

/// <summary>Log messages of the registry.</summary>
internal static partial class RegistryLog
{
    [LoggerMessage(1, LogLevel.Warning, "Events wait: {Reason}")]
    public static partial void DispatchFailed(ILogger logger, string reason);

    [LoggerMessage(2, LogLevel.Warning, "Webhook {Webhook} did not take event {Event}: {Reason}")]
    public static partial void DeliveryFailed(ILogger logger, string webhook, long @event, string reason);
}
