using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>
/// What a claim may not exceed: the slots and the memory of each of the worker's device classes, and the operator's quotas. All are counted
/// from the steps that run at that moment, inside the claim's transaction.
/// </summary>
internal static class ClaimLimits
{
    private const long QuotaLock = 7_305_112_904_417_386_082;

    /// <summary>Notes that the worker is there, unless it does not say how many slots it has.</summary>
    public static async Task NoteAsync(DatabaseTransaction transaction, ClaimStep claim)
    {
        if (claim.Slots <= 0)
            return;
        await transaction.ExecuteAsync(
            """
            insert into worker (name, device, slots, memory_bytes, classes, seen_at, since)
            values (@Worker, @device, @Slots, @MemoryBytes, @classes, @Now, @Now)
            on conflict (name) do update set
                device = excluded.device, slots = excluded.slots, memory_bytes = excluded.memory_bytes, classes = excluded.classes,
                seen_at = excluded.seen_at
            """,
            new
            {
                claim.Worker, device = ClassesOf(claim)[0].Name, claim.Slots, claim.MemoryBytes, transaction.Now,
                classes = claim.Classes.Count > 0 ? JsonColumn.Write(claim.Classes) : null,
            }).ConfigureAwait(false);
    }

    /// <summary>Every device class of the worker; one that does not say them has one, for all its slots and memory.</summary>
    public static IReadOnlyList<DeviceClass> ClassesOf(ClaimStep claim) => claim.Classes.Count > 0
        ? claim.Classes
        : [.. claim.Devices.Select(d => new DeviceClass { Name = d, Slots = claim.Slots, MemoryBytes = claim.MemoryBytes })];

    /// <summary>Where the worker may take another step: the classes with a free slot, each with the memory that is left, null when unknown.</summary>
    /// <param name="claim">The worker.</param>
    /// <param name="held">The steps that it runs.</param>
    public static IEnumerable<(string Device, long? RoomBytes)> FreeOf(ClaimStep claim, IReadOnlyCollection<StepRow> held) =>
        from offered in ClassesOf(claim)
        where claim.Devices.Contains(offered.Name)
        let running = held.Where(s => s.Device == offered.Name).ToList()
        where offered.Slots <= 0 || running.Count < offered.Slots
        select (offered.Name, offered.RoomBeside(running.Sum(s => s.MemoryBytes ?? 0)));

    /// <summary>Stage kinds and device classes whose quota is used up.</summary>
    public static async Task<IReadOnlyList<string>> FullAsync(DatabaseTransaction transaction, OrchestratorOptions options)
    {
        if (options.Quotas.Count == 0)
            return [];
        await transaction.SerializeAsync(QuotaLock).ConfigureAwait(false);
        var running = await transaction.QueryAsync<RunningRow>(
            "select kind, device, count(*) as number from step where state = 'running' group by kind, device").ConfigureAwait(false);
        return
        [
            .. from quota in options.Quotas
               where running.Where(r => r.Kind == quota.Key || r.Device == quota.Key).Sum(r => r.Number) >= quota.Value
               select quota.Key,
        ];
    }

    private sealed class RunningRow
    {
        public string Kind { get; init; } = "";
        public string Device { get; init; } = "";
        public long Number { get; init; }
    }
}
