using Espalier.Contracts;
using Espalier.FaultInjection;
using Espalier.Messaging;
using Espalier.Messaging.Broker;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace Espalier.Stages.Worker;

/// <summary>
/// Listens to the queues of work hints for a device class. A worker whose slots are taken stops listening, so that a hint wakes somebody who
/// has time for it. Nobody waits for a queue: a queue that does not answer costs hints, and the worker polls anyway. A queue that cannot
/// be used says why, and keeps no other back.
/// </summary>
internal sealed class HintListener(
    IBus bus, MessagingOptions messaging, string device, OfferedStages stages, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan ShortWait = TimeSpan.FromSeconds(1), CheckLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(10);
    private readonly List<HostReceiveEndpointHandle> _handles = [];
    private readonly HashSet<string> _sound = [];
    private Task _ready = Task.CompletedTask;
    private long _since;

    /// <summary>Called for every hint.</summary>
    public Action? OnHint { get; set; }

    /// <summary>Whether every queue has answered since the process started.</summary>
    public bool HasListened { get; private set; }

    /// <summary>Why a queue cannot be used; null when all can.</summary>
    public string? Problem { get; private set; }

    /// <summary>Begins to listen, unless it does already; begins anew with queues that did not answer in time or could not be used.</summary>
    public async Task BeginAsync()
    {
        var isNew = time.GetElapsedTime(_since) < Patience;
        if (_handles.Count > 0 && !_ready.IsFaulted && (isNew || (_ready.IsCompleted && Problem is null)))
            return;
        if (!_ready.IsCompletedSuccessfully)
            _sound.Clear(); // what was sound may have changed under a queue that does not answer
        await StopAsync().ConfigureAwait(false);
        var problems = new List<string>();
        foreach (var queue in stages.Kinds.Select(kind => EndpointNames.Work(kind, device)))
        {
            if (await FindProblemAsync(queue).ConfigureAwait(false) is { } problem)
                problems.Add(problem);
            else
                _handles.Add(bus.ConnectReceiveEndpoint(queue, Configure));
        }
        Tell(problems.Count == 0 ? null : string.Join(' ', problems));
        _since = time.GetTimestamp();
        _ready = WaitAsync([.. _handles.Select(h => h.Ready)]);
        // The usual case; then the first claim is not followed by a hint that nobody hears.
        await _ready.WaitAsync(ShortWait, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Stops listening; hints wait in the queue.</summary>
    public async Task StopAsync()
    {
        await Task.WhenAll(_handles.Select(h => h.StopAsync(CancellationToken.None)))
            .WaitAsync(StopLimit, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _handles.Clear();
    }

    private async Task<string?> FindProblemAsync(string queue)
    {
        if (messaging.Transport != MessagingTransport.RabbitMq || _sound.Contains(queue))
            return null;
        try
        {
            using var limit = new CancellationTokenSource(CheckLimit);
            if (await QueueSettings.EnsureHintsAsync(messaging, queue, limit.Token).ConfigureAwait(false) is { } problem)
                return problem;
            _sound.Add(queue);
        }
        catch (Exception e)
        {
            // Whatever the reason is, the bus meets it too, and has its own way of trying again.
            StageLog.RequestFailed(logger, $"check of queue '{queue}'", e.Message);
        }
        return null;
    }

    private void Tell(string? problem)
    {
        if (problem is not null && problem != Problem)
            StageLog.QueueUnusable(logger, problem);
        Problem = problem;
    }

    private void Configure(IReceiveEndpointConfigurator endpoint)
    {
        endpoint.ConfigureHints();
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
