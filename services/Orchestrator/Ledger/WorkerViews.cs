using Dapper;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>A worker as the API shows it: its slots, and how many of them steps hold.</summary>
/// <param name="Name">Unique name.</param>
/// <param name="Device">The device class that it is for.</param>
/// <param name="Slots">Steps that it runs at once.</param>
/// <param name="Held">Slots that steps hold.</param>
/// <param name="Seen">When it last asked for work; a worker whose slots are all held does not ask.</param>
public sealed record WorkerView(string Name, string Device, int Slots, int Held, DateTimeOffset Seen)
{
    /// <summary>Since when it asks for work; null where that was not noted.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Memory of all its devices, in bytes; null when it does not say that of each.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Memory that the steps it holds will need, as far as that is known, in bytes.</summary>
    public long HeldBytes { get; init; }

    /// <summary>Free slots.</summary>
    public int Free => Slots - Held;

    /// <summary>Every device class that it offers, with its own slots and memory.</summary>
    public IReadOnlyList<WorkerClass> Classes { get; init; } = [];
}

/// <summary>A device class of a worker as the API shows it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Count">How many devices there are.</param>
/// <param name="Slots">Steps that run on them at once.</param>
/// <param name="Held">Slots that steps hold.</param>
public sealed record WorkerClass(string Name, int Count, int Slots, int Held)
{
    /// <summary>Memory of each device, in bytes; null when the worker does not say.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Memory that its steps will need, as far as that is known, in bytes.</summary>
    public long HeldBytes { get; init; }

    /// <summary>Its steps compute on the CPU: the worker only pretends to have such devices, for tests.</summary>
    public bool IsPretended { get; init; }
}

/// <summary>Reads workers.</summary>
public interface IWorkerReader
{
    /// <summary>Workers that asked for work lately, by name.</summary>
    Task<IReadOnlyList<WorkerView>> ListAsync(CancellationToken cancellationToken);
}

/// <inheritdoc/>
internal sealed class WorkerReader(LedgerDatabase database) : IWorkerReader
{
    public Task<IReadOnlyList<WorkerView>> ListAsync(CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<WorkerView>>(async connection =>
        {
            var rows = await connection.QueryAsync<WorkerRow>("select * from worker order by name").ConfigureAwait(false);
            var offered = (await OfferedDevices.ReadAsync(connection, long.MinValue).ConfigureAwait(false)).ToLookup(d => d.Worker);
            return [.. rows.Select(r => View(r, [.. offered[r.Name]]))];
        }, cancellationToken);

    private static WorkerView View(WorkerRow row, IReadOnlyList<OfferedDevice> offered) =>
        new(row.Name, row.Device, row.Slots, (int)offered.Sum(d => d.Held), DateTimeOffset.FromUnixTimeMilliseconds(row.SeenAt))
        {
            Since = row.Since > 0 ? DateTimeOffset.FromUnixTimeMilliseconds(row.Since) : null,
            MemoryBytes = offered.All(d => d.Class.MemoryBytes > 0) ? offered.Sum(d => d.Class.MemoryBytes * d.Class.Count) : null,
            HeldBytes = offered.Sum(d => d.HeldBytes),
            Classes =
            [
                .. offered.Select(d => new WorkerClass(d.Class.Name, d.Class.Count, d.Class.Slots, (int)d.Held)
                {
                    MemoryBytes = d.Class.MemoryBytes > 0 ? d.Class.MemoryBytes : null,
                    HeldBytes = d.HeldBytes,
                    IsPretended = d.Class.IsPretended,
                }),
            ],
        };
}
