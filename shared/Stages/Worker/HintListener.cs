using Espalier.Contracts;
using Espalier.FaultInjection;
using Espalier.Messaging;
using MassTransit;

namespace Espalier.Stages.Worker;

/// <summary>
/// Listens to the queues of work hints. A worker whose slots are taken stops listening, so that a hint wakes somebody who
/// has time for it. Nobody waits for a queue: a queue that does not answer costs hints, and the worker polls anyway.
/// </summary>
internal sealed class HintListener(IBus bus, MessagingOptions messaging, StageWorkerOptions options, OfferedStages stages, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan ShortWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(10);
    private readonly List<HostReceiveEndpointHandle> _handles = [];
    private Task _ready = Task.CompletedTask;
    private long _since;

    /// <summary>Called for every hint.</summary>
    public Action? OnHint { get; set; }

    /// <summary>Whether every queue has answered since the process started.</summary>
    public bool HasListened { get; private set; }

    /// <summary>Begins to listen, unless it does already; begins anew with queues that did not answer in time.</summary>
    public async Task BeginAsync()
    {
        if (_handles.Count > 0 && !_ready.IsFaulted && (_ready.IsCompleted || time.GetElapsedTime(_since) < Patience))
            return;
        await StopAsync().ConfigureAwait(false);
        foreach (var kind in stages.Kinds)
            _handles.Add(bus.ConnectReceiveEndpoint(EndpointNames.Work(kind, options.Device), Configure));
        _since = time.GetTimestamp();
        _ready = WaitAsync([.. _handles.Select(h => h.Ready)]);
        // The usual case; then the first claim is not followed by a hint that nobody hears.
        await _ready.WaitAsync(ShortWait, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Stops to listen; hints wait in the queue.</summary>
    public async Task StopAsync()
    {
        await Task.WhenAll(_handles.Select(h => h.StopAsync(CancellationToken.None))).WaitAsync(StopLimit, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _handles.Clear();
    }

    private void Configure(IReceiveEndpointConfigurator endpoint)
    {
        endpoint.ConfigureHints(messaging);
        endpoint.Handler<StepReady>(_ =>
        {
            Faults.Reach(FaultPoints.HintReceived);
            OnHint?.Invoke();
            return Task.CompletedTask;
        });
    }

    private async Task WaitAsync(Task[] ready)
    {
        await Task.WhenAll(ready).ConfigureAwait(false);
        HasListened = true;
    }
}
