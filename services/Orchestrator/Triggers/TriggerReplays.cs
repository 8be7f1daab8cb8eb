using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>What a trigger would have made of the last events.</summary>
/// <param name="Trigger">The trigger.</param>
/// <param name="Items">Every event that it would have seen, oldest first.</param>
public sealed record TriggerReplay(string Trigger, IReadOnlyList<ReplayedEvent> Items);

/// <summary>An event that was replayed.</summary>
/// <param name="Event">Number of the event.</param>
/// <param name="At">When it happened.</param>
/// <param name="State">What the trigger as it is now makes of it; <c>started</c> where a run would be started.</param>
/// <param name="Reason">Why no run; empty where one would be started.</param>
/// <param name="Parameters">Parameters of the run.</param>
/// <param name="Happened">What happened then; null when the trigger was not there.</param>
public sealed record ReplayedEvent(
    long Event, DateTimeOffset At, FiringState State, string Reason, IReadOnlyDictionary<string, string> Parameters, FiringView? Happened);

/// <summary>
/// Replays stored events against a trigger as it is now. Quota, keys and debounce count as if it had been on all the time; how long runs
/// took is not known here, so concurrency holds nothing back.
/// </summary>
internal sealed class TriggerReplays(TriggerLedger triggers)
{
    /// <summary>Replays the last events, or null when there is no such trigger.</summary>
    public async Task<TriggerReplay?> RunAsync(string name, int last, CancellationToken cancellationToken)
    {
        if (await triggers.FindAsync(name, cancellationToken).ConfigureAwait(false) is not { } trigger)
            return null;
        var settings = trigger.Read();
        var past = new ReplayedFirings();
        var items = new List<ReplayedEvent>();
        foreach (var (happened, firing) in await triggers.HistoryAsync(trigger, last, cancellationToken).ConfigureAwait(false))
        {
            var decision = await FiringDecision.MakeAsync(trigger, settings, happened, past).ConfigureAwait(false);
            if (decision.State == FiringState.Waiting)
            {
                Supersede(items, past, settings, happened);
                past.Add(happened, decision.Verdict.DedupeKey);
                decision = decision with { State = FiringState.Started };
            }
            items.Add(new ReplayedEvent(
                happened.Id, Times.Of(happened.At), decision.State, decision.Reason, decision.Verdict.Parameters,
                firing is null ? null : TriggerLedger.ViewOf(firing)));
        }
        return new TriggerReplay(trigger.Name, items);
    }

    /// <summary>An event within the debounce of the one before takes its place.</summary>
    private static void Supersede(List<ReplayedEvent> items, ReplayedFirings past, TriggerSettings settings, EventRow happened)
    {
        var index = items.FindLastIndex(i => i.State == FiringState.Started);
        if (settings.Debounce is not { } debounce || index < 0 || Times.Of(happened.At) >= items[index].At + debounce)
            return;
        items[index] = items[index] with
        {
            State = FiringState.Skipped, Reason = $"Event #{happened.Id} came after it, before its run was started.",
        };
        past.RemoveLast();
    }

    private sealed class ReplayedFirings : IPastFirings
    {
        private readonly List<(EventRow Event, string? Key)> _started = [];

        public void Add(EventRow happened, string? key) => _started.Add((happened, key));

        public void RemoveLast() => _started.RemoveAt(_started.Count - 1);

        public Task<int> CountSinceAsync(long after) => Task.FromResult(_started.Count(s => s.Event.At > after));

        public Task<long?> FindByKeyAsync(string key) => Task.FromResult(
            _started.FirstOrDefault(s => s.Key == key).Event is { } happened ? happened.Id : (long?)null);
    }
}
