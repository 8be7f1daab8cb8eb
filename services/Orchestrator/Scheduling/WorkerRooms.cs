using System.Globalization;
using Dapper;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Resolution;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>The memory of live workers. While one of a device class does not say how much it has, nobody knows the most.</summary>
internal sealed class WorkerRooms(LedgerDatabase database, StageCatalog stages) : IStepRooms
{
    /// <inheritdoc/>
    public async Task<StepRoom?> FindAsync(string device, CancellationToken cancellationToken)
    {
        var workers = (await database.ReadAsync(
            connection => connection.QueryAsync<(string Name, long MemoryBytes)>(
                "select name, memory_bytes from worker where device = @device and seen_at > @alive",
                new { device, alive = stages.Alive(database.Now) }), cancellationToken).ConfigureAwait(false)).ToList();
        if (workers.Count == 0 || workers.Exists(w => w.MemoryBytes == 0))
            return null;
        var largest = workers.MaxBy(w => w.MemoryBytes);
        var size = string.Create(CultureInfo.InvariantCulture, $"{largest.MemoryBytes / (double)(1L << 30):0.0} GiB");
        return new StepRoom(largest.MemoryBytes, $"no live worker on {device} has that: the largest is {largest.Name} with {size}");
    }
}
