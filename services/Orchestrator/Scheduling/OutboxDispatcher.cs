using System.Text.Json;
using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.Orchestrator.Ledger;
using MassTransit;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>Publishes what the outbox holds, in order, and forgets it when the broker has confirmed.</summary>
internal sealed class OutboxDispatcher(
    Outbox outbox, IBus bus, Wakeups wakeups, OrchestratorOptions options, TimeProvider time, ILogger<OutboxDispatcher> logger) : BackgroundService
{
    private const int Batch = 100;
    private static readonly TimeSpan PublishTimeout = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (await outbox.DispatchAsync(Batch, row => SendAsync(row, stoppingToken), stoppingToken).ConfigureAwait(false) < Batch)
                    await wakeups.Outbox.WaitAsync(options.SweepInterval, time, stoppingToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                OrchestratorLog.LoopFailed(logger, nameof(OutboxDispatcher), e);
                await Task.Delay(options.SweepInterval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task SendAsync(OutboxRow row, CancellationToken cancellationToken)
    {
        var type = OutboxWrites.Types[row.Type];
        var message = JsonSerializer.Deserialize(row.Body, type, WireJson.Options)!;
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(PublishTimeout);
        if (row.Destination.Length == 0)
        {
            await bus.Publish(message, type, limited.Token).WaitAsync(limited.Token).ConfigureAwait(false); // a send to a broker that crashes may never end
            return;
        }
        var endpoint = await bus.GetSendEndpoint(EndpointNames.AddressOf(row.Destination)).WaitAsync(limited.Token).ConfigureAwait(false);
        await endpoint.Send(message, type, limited.Token).WaitAsync(limited.Token).ConfigureAwait(false);
    }
}
