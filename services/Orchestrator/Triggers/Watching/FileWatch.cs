using System.Collections.Concurrent;
using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers.Watching;

/// <summary>
/// Looks at watched folders and blobs now and then, and makes an event of everything that is new or has changed and is no longer written
/// to. Places are looked at side by side; the trouble of one is written at its trigger, until it is over.
/// </summary>
internal sealed class FileWatch(LedgerDatabase database, WatchedPlaces places, Wakeups wakeups, TimeProvider time, ILogger<FileWatch> logger)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2), PauseOfBlobs = TimeSpan.FromSeconds(10);

    private readonly WatchedFiles _files = new(database);
    private readonly ConcurrentDictionary<string, Place> _places = new(StringComparer.Ordinal);
    private long? _last;

    /// <summary>How long the others wait for a place that does not answer.</summary>
    /// <value>10 seconds</value>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Looks at what is due, unless it did so a moment ago. The look at a place that does not answer goes on while others are looked at.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (_last is { } last && time.GetElapsedTime(last) < Pause)
            return;
        _last = time.GetTimestamp();
        var triggers = (await database.ReadAsync(
            connection => connection.QueryAsync<TriggerRow>(
                "select * from pipeline_trigger where kind = @kind and is_enabled = 1 and paused = ''", new { kind = EventKinds.Watch }), cancellationToken)
            .ConfigureAwait(false)).AsList();
        foreach (var gone in _places.Keys.Except(triggers.Select(t => t.Name)))
            _places.TryRemove(gone, out _);
        var looks = new List<(TriggerRow Trigger, Task Look)>();
        foreach (var trigger in triggers)
        {
            var place = _places.GetOrAdd(trigger.Name, _ => new Place());
            if (place.Look is { IsCompleted: false }
                || place.Last is { } at && time.GetElapsedTime(at) < PauseOfBlobs && trigger.FindWatch()?.Blobs is not null)
                continue;
            place.Last = time.GetTimestamp();
            place.Look = LookAsync(trigger, place, cancellationToken);
            looks.Add((trigger, place.Look));
        }
        try
        {
            await Task.WhenAll(looks.Select(l => l.Look)).WaitAsync(Patience, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            var silence = $"The place has not answered for {Patience.TotalSeconds:0} s; still waiting for it.";
            foreach (var (trigger, _) in looks.Where(l => !l.Look.IsCompleted))
                await SayAsync(trigger, silence, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task LookAsync(TriggerRow trigger, Place place, CancellationToken cancellationToken)
    {
        var trouble = "";
        try
        {
            var watch = (IWatchSettings)trigger.Read();
            var listing = await places.ListAsync(watch, cancellationToken).ConfigureAwait(false);
            trouble = listing.Trouble;
            if (await _files.TakeAsync(trigger, listing, changed => Settled(place, changed, watch.Settle), cancellationToken).ConfigureAwait(false) > 0)
                wakeups.Triggers.Set();
        }
        catch (Exception e) when (e is WatchException or UserInputException or InvalidDataException)
        {
            trouble = e.Message;
        }
        await SayAsync(trigger, trouble, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Those that have been as they are for a while; of the others it is kept since when.</summary>
    private List<WatchedFile> Settled(Place place, IReadOnlyList<WatchedFile> changed, TimeSpan settle)
    {
        var unsettled = new Dictionary<string, (WatchedFile File, long Since)>(StringComparer.Ordinal);
        var settled = new List<WatchedFile>();
        foreach (var file in changed)
        {
            var since = place.Unsettled.TryGetValue(file.Path, out var seen) && file.IsSame(seen.File) ? seen.Since : time.GetTimestamp();
            if (time.GetElapsedTime(since) >= settle)
                settled.Add(file);
            else
                unsettled[file.Path] = (file, since);
        }
        place.Unsettled = unsettled;
        return settled;
    }

    private async Task SayAsync(TriggerRow trigger, string trouble, CancellationToken cancellationToken)
    {
        trouble = LedgerText.Clean(trouble);
        if (trouble == trigger.Trouble)
            return;
        if (trouble.Length > 0)
            OrchestratorLog.PlaceNotWatched(logger, trigger.Name, trouble);
        await database.WriteAsync(
            transaction => transaction.ExecuteAsync(
                """
                update pipeline_trigger set trouble = @trouble, trouble_since = case when @isOver then null else coalesce(trouble_since, @Now) end
                 where name = @Name
                """, new { trigger.Name, trouble, isOver = trouble.Length == 0, transaction.Now }), cancellationToken).ConfigureAwait(false);
    }

    private sealed class Place
    {
        /// <summary>The look that is under way, or the last one.</summary>
        public Task? Look { get; set; }

        /// <summary>When it began.</summary>
        public long? Last { get; set; }

        /// <summary>Files as they were last seen, and since when they have been so.</summary>
        public Dictionary<string, (WatchedFile File, long Since)> Unsettled { get; set; } = [];
    }
}
