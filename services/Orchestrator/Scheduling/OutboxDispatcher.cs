using System.Text.Json;
using Espalier.Contracts;
using Espalier.Contracts.FaultInjection;
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
                if (await DispatchAsync(stoppingToken).ConfigureAwait(false) < Batch)
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

    /// <summary>Sends one batch; returns how many messages it took.</summary>
    private async Task<int> DispatchAsync(CancellationToken cancellationToken)
    {
        var rows = await outbox.TakeAsync(Batch, cancellationToken).ConfigureAwait(false);
        var sent = new List<long>(rows.Count);
        if (rows.Count > 0)
            Faults.Reach(FaultPoints.OutboxTaken);
        try
        {
            foreach (var row in rows)
            {
                await SendAsync(row, cancellationToken).ConfigureAwait(false);
                Faults.Reach(FaultPoints.OutboxSent);
                sent.Add(row.Id);
            }
        }
        finally
        {
            if (sent.Count > 0)
            {
                await outbox.RemoveAsync(sent, CancellationToken.None).ConfigureAwait(false);
                Faults.Reach(FaultPoints.OutboxRemoved);
            }
            if (sent.Count < rows.Count)
                await outbox.ReturnAsync([.. rows.Select(r => r.Id).Except(sent)], CancellationToken.None).ConfigureAwait(false);
        }
        return rows.Count;
    }

    private async Task SendAsync(OutboxRow row, CancellationToken cancellationToken)
    {
        var type = OutboxWrites.Types[row.Type];
        var message = JsonSerializer.Deserialize(row.Body, type, WireJson.Options)!;
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(PublishTimeout);
        if (row.Destination.Length == 0)
        {
            await bus.Publish(message, type, limited.Token).ConfigureAwait(false);
            return;
        }
        var endpoint = await bus.GetSendEndpoint(EndpointNames.AddressOf(row.Destination)).ConfigureAwait(false);
        await endpoint.Send(message, type, limited.Token).ConfigureAwait(false);
    }
}
