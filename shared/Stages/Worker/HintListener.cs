using Espalier.Contracts;
using Espalier.Contracts.FaultInjection;
using Espalier.Messaging;
using MassTransit;

namespace Espalier.Stages.Worker;

/// <summary>
/// Listens to the queues of work hints. A worker whose slots are taken stops listening, so that a hint wakes somebody who
/// has time for it.
/// </summary>
internal sealed class HintListener(IBus bus, MessagingOptions messaging, StageWorkerOptions options, OfferedStages stages, Action onHint)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly List<HostReceiveEndpointHandle> _handles = [];

    /// <summary>Starts to listen, unless it does already.</summary>
    public async Task StartAsync()
    {
        if (_handles.Count > 0)
            return;
        foreach (var kind in stages.Kinds)
        {
            _handles.Add(bus.ConnectReceiveEndpoint(EndpointNames.Work(kind, options.Device), endpoint =>
            {
                endpoint.ConfigureHints(messaging);
                endpoint.Handler<StepReady>(_ =>
                {
                    Faults.Reach(FaultPoints.HintReceived);
                    onHint();
                    return Task.CompletedTask;
                });
            }));
        }
        try
        {
            await Task.WhenAll(_handles.Select(h => h.Ready)).WaitAsync(Patience).ConfigureAwait(false);
        }
        catch
        {
            // The next call begins anew; what half listens must not count as listening.
            await StopAsync().WaitAsync(Patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _handles.Clear();
            throw;
        }
    }

    /// <summary>Stops to listen; hints wait in the queue.</summary>
    public async Task StopAsync()
    {
        await Task.WhenAll(_handles.Select(h => h.StopAsync(CancellationToken.None))).ConfigureAwait(false);
        _handles.Clear();
    }
}
