using System.Globalization;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Resolution;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>The memory of the device classes of live workers. While one does not say how much it has, nobody knows the most.</summary>
internal sealed class WorkerRooms(LedgerDatabase database, StageCatalog stages) : IStepRooms
{
    /// <inheritdoc/>
    public async Task<StepRoom?> FindAsync(string device, CancellationToken cancellationToken)
    {
        var offered = (await database.ReadAsync(connection => OfferedDevices.ReadAsync(connection, stages.Alive(database.Now)), cancellationToken)
            .ConfigureAwait(false)).Where(d => d.Class.Name == device).ToList();
        if (offered.Count == 0 || offered.Exists(d => d.Class.MemoryBytes == 0))
            return null;
        var largest = offered.MaxBy(d => d.Class.LargestStepBytes)!;
        var size = string.Create(CultureInfo.InvariantCulture, $"{largest.Class.LargestStepBytes / (double)(1L << 30):0.0} GiB");
        return new StepRoom(largest.Class.LargestStepBytes, $"no live worker offers '{device}' with that: the largest is {largest.Worker} with {size}");
    }
}
