using System.Data.Common;
using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>Why a step does not run yet.</summary>
public enum WaitReason
{
    /// <summary>A step that it needs has not ended.</summary>
    Upstream,

    /// <summary>The scheduler is about to look at it.</summary>
    Preparing,

    /// <summary>A step of another run, or of this one, does the same work.</summary>
    SameWork,

    /// <summary>It is put off: after a failed attempt, or because the store did not answer.</summary>
    Backoff,

    /// <summary>No live worker offers its kind on its device class.</summary>
    NoWorker,

    /// <summary>The live workers have other code than it was prepared for.</summary>
    OtherCode,

    /// <summary>The operator's quota for its kind or device class is used up.</summary>
    Quota,

    /// <summary>Every slot of the workers of its device class is held.</summary>
    Slots,

    /// <summary>No worker of its device class has as much memory as it needs, or none has it free.</summary>
    Memory,

    /// <summary>A run of its concurrency group is under way.</summary>
    ConcurrencyGroup,

    /// <summary>A worker may take it at any moment.</summary>
    Claim,

    /// <summary>No message passes the broker, so that no worker can ask for it.</summary>
    Broker,
}

/// <summary>Why a step does not run yet.</summary>
/// <param name="Reason">The kind of reason, for programs.</param>
/// <param name="Text">The reason in a sentence or two, with what mends it where something can.</param>
/// <param name="Since">Since when the step could run but for this; null while its needs are not done.</param>
/// <param name="Until">When it is looked at again, where that is known.</param>
public sealed record StepWait(WaitReason Reason, string Text, DateTimeOffset? Since = null, DateTimeOffset? Until = null)
{
    /// <summary>Whether it may last: what goes by in a moment, and what the run's own steps show, need not be told.</summary>
    public bool IsHeld => Reason is not (WaitReason.Upstream or WaitReason.Preparing or WaitReason.Claim);
}

/// <summary>Finds out why steps wait, from the ledger as it is now.</summary>
internal sealed partial class StepWaits(LedgerDatabase database, StageCatalog stages, OrchestratorOptions options)
{
    private const int MostNames = 5;

    /// <summary>The reason of every step of one run that is neither running nor ended, by name.</summary>
    public async Task<IReadOnlyDictionary<string, StepWait>> OfAsync(DbConnection connection, IReadOnlyList<StepRow> steps)
    {
        var waiting = steps.Where(s => s.Current is StepState.Waiting or StepState.Ready).ToList();
        if (waiting.Count == 0)
            return new Dictionary<string, StepWait>();
        var now = database.Now;
        var platform = await ReadPlatformAsync(connection, now).ConfigureAwait(false);
        var needs = (await connection.QueryAsync<(string Name, string Needs)>(
            "select name, needs from step_need where run_id = @RunId", new { waiting[0].RunId }).ConfigureAwait(false)).ToLookup(n => n.Name, n => n.Needs);
        var states = steps.ToDictionary(s => s.Name, s => s.Current);
        var ahead = await ReadAheadAsync(connection, waiting, platform, now).ConfigureAwait(false);
        var result = new Dictionary<string, StepWait>();
        foreach (var step in waiting)
        {
            result[step.Name] = step.Current == StepState.Waiting
                ? OfWaiting(step, [.. needs[step.Name].Where(n => IsOpen(states.GetValueOrDefault(n)))], states, platform, now)
                : OfReady(step, ahead.GetValueOrDefault(step.Id), platform, now);
        }
        return result;
    }

    private static StepWait OfWaiting(
        StepRow step, IReadOnlyList<string> open, IReadOnlyDictionary<string, StepState> states, Platform platform, long now)
    {
        if (step.WaitingOn > 0)
            return new(WaitReason.Upstream, $"Needs {Join(open.Select(n => $"'{n}' ({EnumText.Of(states.GetValueOrDefault(n))})"))}.");
        if (step.SameAs is not null)
            return new(WaitReason.SameWork, step.Message);
        if (!platform.Offers(step))
            return new(WaitReason.NoWorker, platform.WhyNoWorker(step));
        return step.NotBefore > now
            ? new(WaitReason.Backoff, step.Message, Until: Time(step.NotBefore))
            : new(WaitReason.Preparing, "The scheduler is about to look at its inputs.");
    }

    private StepWait OfReady(StepRow step, long ahead, Platform platform, long now)
    {
        DateTimeOffset? since = step.ReadyAt is { } at ? Time(at) : null;
        if (step.NotBefore > now)
        {
            var ended = step.Message.Length > 0 ? $"Attempt {step.Attempt} ended: {step.Message}" : $"Attempt {step.Attempt} ended.";
            return new(WaitReason.Backoff, $"{ended.TrimEnd('.')}. The next begins after a pause.", since, Time(step.NotBefore));
        }
        if (!platform.Offers(step))
            return new(WaitReason.NoWorker, platform.WhyNoWorker(step), since);
        if (!platform.Stages.Any(s => s.Device == step.Device && StageCatalog.Offer(s.Kind, s.Version, s.NumericsClass) == step.Offer))
        {
            return new(
                WaitReason.OtherCode,
                "No live worker has the version or the numerics class that it was prepared for; it is prepared again for another.",
                since);
        }
        foreach (var (name, limit) in options.Quotas.Where(q => q.Key == step.Kind || q.Key == step.Device))
        {
            var running = platform.Running.Where(r => r.Kind == name || r.Device == name).Sum(r => r.Number);
            if (running >= limit)
                return new(WaitReason.Quota, $"The quota of {limit} for '{name}' is used up: {running} running.", since);
        }
        if (step.MemoryBytes is { } needed && platform.WhyNoRoom(step.Device, needed) is { } reason)
            return new(WaitReason.Memory, reason, since);
        if (!platform.IsFull(step.Device))
            return new(WaitReason.Claim, "A worker may take it at any moment.", since);
        var slots = platform.WorkersOn(step.Device).Sum(w => w.Slots);
        return new(
            WaitReason.Slots,
            $"{(slots == 1 ? "The only slot" : $"All {slots} slots")} on {step.Device} {(slots == 1 ? "is" : "are")} taken; "
            + (ahead == 0 ? "it is next." : $"{ahead} {(ahead == 1 ? "step is" : "steps are")} ahead of it."),
            since);
    }

    /// <summary>
    /// For each ready step of the run, how many of its device class are claimed before it; in one query, for a run may have thousands. Only
    /// where no slot is free: nothing is ahead of a step that a worker may take at any moment.
    /// </summary>
    private static async Task<Dictionary<long, long>> ReadAheadAsync(DbConnection connection, IReadOnlyList<StepRow> waiting, Platform platform, long now) =>
        !waiting.Any(s => s.Current == StepState.Ready && platform.IsFull(s.Device))
            ? []
            : (await connection.QueryAsync<(long Id, long Ahead)>(
                """
                select id, ahead from (
                    select id, run_id, row_number() over (partition by device order by priority desc, id) - 1 as ahead
                      from step where state = 'ready' and not_before <= @now) ranked
                 where run_id = @RunId
                """, new { waiting[0].RunId, now }).ConfigureAwait(false)).ToDictionary(s => s.Id, s => s.Ahead);

    private async Task<Platform> ReadPlatformAsync(DbConnection connection, long now)
    {
        var live = await connection.QueryAsync<StageRow>(
            "select kind, device, version, numerics_class from stage where advertised_at > @alive", new { alive = stages.Alive(now) }).ConfigureAwait(false);
        var running = await connection.QueryAsync<RunningRow>(
            "select kind, device, count(*) as number from step where state = 'running' group by kind, device").ConfigureAwait(false);
        var workers = await connection.QueryAsync<WorkerRow>(
            """
            select name, device, slots, memory_bytes, (select count(*) from step s where s.worker = w.name and s.state = 'running') as held,
                   (select cast(coalesce(sum(s.memory_bytes), 0) as bigint) from step s where s.worker = w.name and s.state = 'running') as held_bytes
              from worker w where seen_at > @alive order by name
            """, new { alive = stages.Alive(now) }).ConfigureAwait(false);
        return new([.. live], [.. running], [.. workers]);
    }

    private static bool IsOpen(StepState state) => state is StepState.Waiting or StepState.Ready or StepState.Running;

    private static string Join(IEnumerable<string> names)
    {
        var all = names.ToList();
        var shown = string.Join(", ", all.Take(MostNames));
        return all.Count > MostNames ? $"{shown} and {all.Count - MostNames} more" : shown;
    }

    private static DateTimeOffset Time(long at) => DateTimeOffset.FromUnixTimeMilliseconds(at);

    // What all steps of the platform share.
    private sealed record Platform(IReadOnlyList<StageRow> Stages, IReadOnlyList<RunningRow> Running, IReadOnlyList<WorkerRow> Workers)
    {
        public IEnumerable<WorkerRow> WorkersOn(string device) => Workers.Where(w => w.Device == device);

        /// <summary>Whether every slot of the workers of a device class is held; not where no worker says how many it has.</summary>
        public bool IsFull(string device) => WorkersOn(device).Any() && WorkersOn(device).All(w => w.Held >= w.Slots);

        /// <summary>Why no worker of a device class has room for a step; null when one has, or does not say how much memory it has.</summary>
        public string? WhyNoRoom(string device, long needed)
        {
            var workers = WorkersOn(device).ToList();
            if (workers.Count == 0 || workers.Any(w => w.MemoryBytes == 0 || w.RoomBytes >= needed))
                return null;
            var largest = workers.MaxBy(w => w.MemoryBytes)!;
            if (largest.MemoryBytes < needed)
            {
                return $"It needs about {Gibibytes(needed)} of memory, and no worker on {device} has that: the nearest is {largest.Name} with "
                    + $"{Gibibytes(largest.MemoryBytes)}. Start one with more (worker:memory-bytes).";
            }
            var nearest = workers.Where(w => w.MemoryBytes >= needed).MaxBy(w => w.RoomBytes)!;
            return $"It needs about {Gibibytes(needed)} of memory, and no worker on {device} has that free: the nearest is {nearest.Name} with "
                + $"{Gibibytes(nearest.RoomBytes)} of {Gibibytes(nearest.MemoryBytes)}.";
        }

        private static string Gibibytes(long bytes) =>
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Math.Max(0, bytes) / (double)(1L << 30):0.0} GiB");

        public bool Offers(StepRow step) => Stages.Any(s => s.Kind == step.Kind && s.Device == step.Device);

        public string WhyNoWorker(StepRow step)
        {
            var devices = Stages.Where(s => s.Kind == step.Kind).Select(s => s.Device).Distinct().Order().ToList();
            return devices.Count == 0
                ? $"No live worker offers '{step.Kind}': start one."
                : $"No live worker offers '{step.Kind}' on {step.Device}, only on {string.Join(", ", devices)}: start one, or change the step's 'device'.";
        }
    }

    private sealed class RunningRow
    {
        public string Kind { get; init; } = "";
        public string Device { get; init; } = "";
        public long Number { get; init; }
    }

    private sealed class WorkerRow
    {
        public string Device { get; init; } = "";
        public string Name { get; init; } = "";
        public long Slots { get; init; }
        public long Held { get; init; }
        public long MemoryBytes { get; init; }
        public long HeldBytes { get; init; }

        /// <summary>Memory that is left beside what its steps will need.</summary>
        public long RoomBytes => MemoryBytes - HeldBytes;
    }
}
