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

    /// <summary>No worker offers its device class with as much memory as it needs, or none has it free.</summary>
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
        var slots = platform.On(step.Device).Sum(d => d.Class.Slots);
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
        return new([.. live], [.. running], await OfferedDevices.ReadAsync(connection, stages.Alive(now)).ConfigureAwait(false));
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
    private sealed record Platform(IReadOnlyList<StageRow> Stages, IReadOnlyList<RunningRow> Running, IReadOnlyList<OfferedDevice> Devices)
    {
        public IEnumerable<OfferedDevice> On(string device) => Devices.Where(d => d.Class.Name == device);

        /// <summary>Whether every slot of a device class is held; not where no worker says how many it has.</summary>
        public bool IsFull(string device) => On(device).Any() && On(device).All(d => d.Held >= d.Class.Slots);

        /// <summary>Why no worker has room for a step on a device class; null when one has, or does not say how much memory it has.</summary>
        public string? WhyNoRoom(string device, long needed)
        {
            var offered = On(device).ToList();
            if (offered.Count == 0 || offered.Any(d => d.RoomBytes is not { } room || room >= needed))
                return null;
            var largest = offered.MaxBy(d => d.Class.LargestStepBytes)!;
            if (largest.Class.LargestStepBytes < needed)
            {
                return $"No live worker offers '{device}' with {Gibibytes(needed)}, which is about what it needs: the largest is {largest.Worker} with "
                    + $"{Gibibytes(largest.Class.LargestStepBytes)}. Start one with more (worker:memory-bytes, or memory in worker:devices).";
            }
            var nearest = offered.Where(d => d.Class.LargestStepBytes >= needed).MaxBy(d => d.RoomBytes)!;
            return $"No live worker has {Gibibytes(needed)}, which is about what it needs, free on '{device}': the nearest is {nearest.Worker} with "
                + $"{Gibibytes(nearest.RoomBytes ?? 0)} of {Gibibytes(nearest.Class.MemoryBytes)}.";
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
}
