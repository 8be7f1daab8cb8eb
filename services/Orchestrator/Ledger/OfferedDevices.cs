using System.Data.Common;
using Dapper;
using Espalier.Contracts;

namespace Espalier.Orchestrator.Ledger;

/// <summary>A device class of a worker, and what steps hold of it.</summary>
/// <param name="Worker">The worker's name.</param>
/// <param name="Class">The class.</param>
/// <param name="Held">Slots that steps hold.</param>
/// <param name="HeldBytes">Memory that they will need, as far as that is known.</param>
internal sealed record OfferedDevice(string Worker, DeviceClass Class, long Held, long HeldBytes)
{
    /// <summary>Memory that another step may need; null when the worker does not say how much there is.</summary>
    public long? RoomBytes => Class.RoomBeside(HeldBytes);
}

/// <summary>Reads what workers offer to run steps on.</summary>
internal static class OfferedDevices
{
    /// <summary>The device classes of workers that were seen after a time, by the worker's name.</summary>
    public static async Task<IReadOnlyList<OfferedDevice>> ReadAsync(DbConnection connection, long alive)
    {
        var workers = await connection.QueryAsync<WorkerRow>(
            "select name, device, slots, memory_bytes, classes from worker where seen_at > @alive order by name", new { alive }).ConfigureAwait(false);
        var held = (await connection.QueryAsync<HeldRow>(
            """
            select worker, device, count(*) as number, cast(coalesce(sum(memory_bytes), 0) as bigint) as bytes
              from step where state = 'running' and worker is not null group by worker, device
            """).ConfigureAwait(false)).ToDictionary(h => (h.Worker, h.Device));
        return
        [
            .. from worker in workers
               from offered in worker.ReadClasses()
               let taken = held.GetValueOrDefault((worker.Name, offered.Name))
               select new OfferedDevice(worker.Name, offered, taken?.Number ?? 0, taken?.Bytes ?? 0),
        ];
    }

    private sealed class HeldRow
    {
        public string Worker { get; init; } = "";
        public string Device { get; init; } = "";
        public long Number { get; init; }
        public long Bytes { get; init; }
    }
}
