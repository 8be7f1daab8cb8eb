using Dapper;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>A worker as the API shows it: its slots, and how many of them steps hold.</summary>
/// <param name="Name">Unique name.</param>
/// <param name="Device">Device class.</param>
/// <param name="Slots">Steps that it runs at once.</param>
/// <param name="Held">Slots that steps hold.</param>
/// <param name="Seen">When it last asked for work; a worker whose slots are all held does not ask.</param>
public sealed record WorkerView(string Name, string Device, int Slots, int Held, DateTimeOffset Seen)
{
    /// <summary>Since when it asks for work; null where that was not noted.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Memory that it may use, in bytes; null when it does not say.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Memory that the steps it holds will need, as far as that is known, in bytes.</summary>
    public long HeldBytes { get; init; }

    /// <summary>Free slots.</summary>
    public int Free => Slots - Held;
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
            var rows = await connection.QueryAsync<WorkerRow>(
                """
                select w.*, (select count(*) from step s where s.worker = w.name and s.state = 'running') as held,
                       (select cast(coalesce(sum(s.memory_bytes), 0) as bigint) from step s where s.worker = w.name and s.state = 'running') as held_bytes
                  from worker w order by w.name
                """).ConfigureAwait(false);
            return [.. rows.Select(r => new WorkerView(r.Name, r.Device, r.Slots, (int)r.Held, DateTimeOffset.FromUnixTimeMilliseconds(r.SeenAt))
            {
                Since = r.Since > 0 ? DateTimeOffset.FromUnixTimeMilliseconds(r.Since) : null,
                MemoryBytes = r.MemoryBytes > 0 ? r.MemoryBytes : null,
                HeldBytes = r.HeldBytes,
            })];
        }, cancellationToken);

    private sealed class WorkerRow
    {
        public string Name { get; init; } = "";
        public string Device { get; init; } = "";
        public int Slots { get; init; }
        public long SeenAt { get; init; }
        public long Since { get; init; }
        public long MemoryBytes { get; init; }
        public long HeldBytes { get; init; }
        public long Held { get; init; }
    }
}
