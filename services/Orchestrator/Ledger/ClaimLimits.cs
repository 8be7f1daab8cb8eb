using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>
/// What a claim may not exceed: the worker's slots and memory, and the operator's quotas. All are counted from the steps that run at
/// that moment, inside the claim's transaction.
/// </summary>
internal static class ClaimLimits
{
    private const long QuotaLock = 7_305_112_904_417_386_082;

    /// <summary>Notes that the worker is there. False when every slot of it is held.</summary>
    public static async Task<bool> HasFreeSlotAsync(DatabaseTransaction transaction, ClaimStep claim, int held)
    {
        if (claim.Slots <= 0)
            return true;
        await transaction.ExecuteAsync(
            """
            insert into worker (name, device, slots, memory_bytes, seen_at, since) values (@Worker, @device, @Slots, @MemoryBytes, @Now, @Now)
            on conflict (name) do update set
                device = excluded.device, slots = excluded.slots, memory_bytes = excluded.memory_bytes, seen_at = excluded.seen_at
            """,
            new { claim.Worker, device = claim.Devices.FirstOrDefault() ?? "cpu", claim.Slots, claim.MemoryBytes, transaction.Now }).ConfigureAwait(false);
        return held < claim.Slots;
    }

    /// <summary>Memory that a worker has left beside what its steps will need, in bytes; null when it does not say how much it may use.</summary>
    public static long? RoomOf(ClaimStep claim, IEnumerable<StepRow> held) =>
        claim.MemoryBytes > 0 ? claim.MemoryBytes - held.Sum(s => s.MemoryBytes ?? 0) : null;

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
