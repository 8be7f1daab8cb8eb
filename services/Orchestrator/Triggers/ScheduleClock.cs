using Dapper;
using Espalier.Database;
using Espalier.Orchestrator.Database;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>Makes an event of every time of a schedule that is reached, and decides which of those that were missed are made up for.</summary>
internal sealed class ScheduleClock(LedgerDatabase database, TimeProvider time, ILogger<ScheduleClock> logger)
{
    private const int Batch = 100, MostMissed = 100;

    /// <summary>A time that is not longer ago was not missed: the platform was only busy.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(1), Check = TimeSpan.FromMinutes(1);

    // Schedules whose trouble is in the log.
    private readonly HashSet<string> _said = [];
    private long? _checkedAt;

    /// <summary>One round; returns the number of events.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        await MendAsync(cancellationToken).ConfigureAwait(false);
        var due = await database.ReadAsync(
            connection => connection.QueryAsync<TriggerRow>(
                "select * from pipeline_trigger where next_at is not null and next_at <= @Now order by next_at limit @Batch",
                new { database.Now, Batch }), cancellationToken).ConfigureAwait(false);
        var events = 0;
        foreach (var trigger in due)
        {
            try
            {
                if (trigger.Read() is TimedTrigger schedule)
                    events += await database.WriteAsync(transaction => ReachAsync(transaction, trigger, schedule), cancellationToken).ConfigureAwait(false);
                _said.Remove(trigger.Name);
            }
            catch (Exception e) when (e is InvalidDataException or TimeZoneNotFoundException or InvalidTimeZoneException)
            {
                if (_said.Add(trigger.Name))
                    OrchestratorLog.ScheduleNotRead(logger, trigger.Name, e.Message);
            }
        }
        return events;
    }

    /// <summary>
    /// A clock that was ahead leaves next times behind that are too late: nothing would start until then. A time that was reached early by
    /// such a clock does not come a second time, since its event exists.
    /// </summary>
    private async Task MendAsync(CancellationToken cancellationToken)
    {
        if (_checkedAt is { } at && time.GetElapsedTime(at) is var since && since >= TimeSpan.Zero && since < Check)
            return;
        _checkedAt = time.GetTimestamp();
        var later = await database.ReadAsync(
            connection => connection.QueryAsync<TriggerRow>("select * from pipeline_trigger where next_at > @Now", new { database.Now }),
            cancellationToken).ConfigureAwait(false);
        foreach (var trigger in later)
        {
            if (NextOf(trigger, database.Now) is { } next && next < trigger.NextAt)
            {
                await database.WriteAsync(
                    transaction => transaction.ExecuteAsync(
                        "update pipeline_trigger set next_at = @next where name = @Name and next_at = @NextAt", new { trigger.Name, trigger.NextAt, next }),
                    cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static long? NextOf(TriggerRow trigger, long now)
    {
        try
        {
            return trigger.Read() is TimedTrigger schedule ? schedule.Next(Times.Of(now))?.ToUnixTimeMilliseconds() : null;
        }
        catch (Exception e) when (e is InvalidDataException or TimeZoneNotFoundException or InvalidTimeZoneException)
        {
            return null; // it is said when its time has come
        }
    }

    private static async Task<int> ReachAsync(DatabaseTransaction transaction, TriggerRow trigger, TimedTrigger schedule)
    {
        var now = Times.Of(transaction.Now);
        var moved = await transaction.ExecuteAsync(
            "update pipeline_trigger set next_at = @next where name = @Name and next_at = @NextAt",
            new { trigger.Name, trigger.NextAt, next = schedule.Next(now)?.ToUnixTimeMilliseconds() }).ConfigureAwait(false);
        if (moved == 0 || trigger.Off is not null)
            return 0;
        var times = Reached(schedule, Times.Of(trigger.NextAt!.Value), now);
        foreach (var time in times)
        {
            await transaction.AddEventAsync(new HappenedEvent
            {
                Key = $"time/{trigger.Name}/{time.ToUnixTimeSeconds()}",
                Kind = trigger.Kind,
                Target = trigger.Name,
                Fields = new { time = $"{time.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}", date = $"{TimeZoneInfo.ConvertTime(time, ZoneOf(schedule)):yyyy-MM-dd}" },
            }).ConfigureAwait(false);
        }
        return times.Count;
    }

    private static TimeZoneInfo ZoneOf(TimedTrigger schedule) => TimeZoneInfo.FindSystemTimeZoneById(schedule.TimeZone);

    /// <summary>The times from the first one that was due until now for which a run is wanted.</summary>
    private static List<DateTimeOffset> Reached(TimedTrigger schedule, DateTimeOffset first, DateTimeOffset now)
    {
        var times = new Queue<DateTimeOffset>();
        for (DateTimeOffset? time = first; time <= now; time = schedule.Next(time.Value))
        {
            times.Enqueue(time.Value);
            if (times.Count > MostMissed)
                times.Dequeue();
        }
        return schedule.CatchUp switch
        {
            CatchUp.All => [.. times],
            CatchUp.Last => [.. times.TakeLast(1)],
            _ => [.. times.TakeLast(1).Where(t => now - t <= Grace)],
        };
    }
}
