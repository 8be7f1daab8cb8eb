using Dapper;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>A worker as the API shows it: its slots, and how many of them steps hold.</summary>
/// <param name="Name">Unique name.</param>
/// <param name="Device">Device class.</param>
/// <param name="Slots">Steps that it runs at once.</param>
/// <param name="Held">Slots that steps hold.</param>
/// <param name="Seen">When it last asked for work.</param>
public sealed record WorkerView(string Name, string Device, int Slots, int Held, DateTimeOffset Seen)
{
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
                select w.*, (select count(*) from step s where s.worker = w.name and s.state = 'running') as held
                  from worker w order by w.name
                """).ConfigureAwait(false);
            return [.. rows.Select(r => new WorkerView(r.Name, r.Device, r.Slots, (int)r.Held, DateTimeOffset.FromUnixTimeMilliseconds(r.SeenAt)))];
        }, cancellationToken);

    private sealed class WorkerRow
    {
        public string Name { get; init; } = "";
        public string Device { get; init; } = "";
        public int Slots { get; init; }
        public long SeenAt { get; init; }
        public long Held { get; init; }
    }
}
