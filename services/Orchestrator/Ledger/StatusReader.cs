using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>A lease as the API shows it.</summary>
public sealed record LeaseView(Guid RunId, string Step, string Kind, int Attempt, string Worker, DateTimeOffset Until, long Done, long Total)
{
    /// <summary>Name of the run.</summary>
    public string Run { get; init; } = "";

    /// <summary>Device class that it runs on.</summary>
    public string Device { get; init; } = "";

    /// <summary>Since when the attempt runs.</summary>
    public DateTimeOffset? Started { get; init; }

    /// <summary>Memory that it will need, in bytes; null where that is not known.</summary>
    public long? MemoryBytes { get; init; }
}

/// <summary>How many steps of a kind and device are in a state.</summary>
public sealed record StepCount(string Kind, string Device, StepState State, long Number);

/// <summary>How many steps of a kind and device ask for a worker's slot.</summary>
public sealed record StepDemand(string Kind, string Device, long Number);

/// <summary>Counts for the API and for metrics, read from indexes only.</summary>
internal sealed class StatusReader(LedgerDatabase database, OrchestratorOptions options)
{
    private const int MostLeases = 1000;

    /// <summary>Number of runs by state.</summary>
    public Task<IReadOnlyDictionary<string, long>> RunsAsync(CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyDictionary<string, long>>(async connection =>
        {
            var rows = await connection.QueryAsync<(string State, long Number)>("select state, count(*) from run group by state").ConfigureAwait(false);
            return rows.ToDictionary(r => r.State, r => r.Number);
        }, cancellationToken);

    /// <summary>Ready and running steps.</summary>
    public Task<IReadOnlyList<StepCount>> StepsAsync(CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<StepCount>>(async connection =>
        {
            var rows = await connection.QueryAsync<(string Kind, string Device, string State, long Number)>(
                """
                select kind, device, state, count(*) from step where state = 'ready' group by kind, device, state
                union all
                select kind, device, state, count(*) from step where state = 'running' group by kind, device, state
                """).ConfigureAwait(false);
            return [.. rows.Select(r => new StepCount(r.Kind, r.Device, EnumText.Parse<StepState>(r.State), r.Number))];
        }, cancellationToken);

    /// <summary>
    /// Steps that ask for a slot: ready, held by a worker, or waiting for nothing but somebody who offers their kind. Without the last, a
    /// kind whose workers were scaled to none would never get one. No more than a quota lets run: further workers would stand idle.
    /// </summary>
    public Task<IReadOnlyList<StepDemand>> DemandAsync(CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<StepDemand>>(async connection =>
        {
            var rows = await connection.QueryAsync<(string Kind, string Device, long Number)>(
                """
                select kind, device, cast(sum(number) as bigint) from (
                    select kind, device, count(*) as number from step where state = 'ready' group by kind, device
                    union all
                    select kind, device, count(*) from step where state = 'running' group by kind, device
                    union all
                    select kind, device, count(*) from step where state = 'waiting' and waiting_on = 0 and same_as is null group by kind, device
                ) as demand group by kind, device
                """).ConfigureAwait(false);
            return [.. rows.Select(r => new StepDemand(r.Kind, r.Device, Math.Min(r.Number, Math.Min(QuotaOf(r.Kind), QuotaOf(r.Device)))))];
        }, cancellationToken);

    /// <summary>Steps that workers hold, the oldest lease first.</summary>
    public Task<IReadOnlyList<LeaseView>> LeasesAsync(CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<LeaseView>>(async connection =>
        {
            var rows = await connection.QueryAsync<LeaseRow>(
                """
                select s.run_id, r.name as run, s.name, s.kind, s.device, s.attempt, s.worker, s.lease_until, s.started_at, s.memory_bytes, s.done, s.total
                  from step s join run r on r.id = s.run_id
                 where s.state = 'running' order by s.lease_until limit @MostLeases
                """, new { MostLeases }).ConfigureAwait(false);
            return [.. rows.Select(r => new LeaseView(Guid.Parse(r.RunId), r.Name, r.Kind, (int)r.Attempt, r.Worker ?? "",
                DateTimeOffset.FromUnixTimeMilliseconds(r.LeaseUntil ?? 0), r.Done, r.Total)
            {
                Run = r.Run,
                Device = r.Device,
                Started = r.StartedAt is { } started ? DateTimeOffset.FromUnixTimeMilliseconds(started) : null,
                MemoryBytes = r.MemoryBytes,
            })];
        }, cancellationToken);

    /// <summary>Messages that wait in the outbox.</summary>
    public Task<long> OutboxDepthAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(connection => connection.ExecuteScalarAsync<long>("select count(*) from outbox"), cancellationToken);

    private long QuotaOf(string kindOrDevice) => options.Quotas.TryGetValue(kindOrDevice, out var quota) ? quota : long.MaxValue;

    private sealed class LeaseRow
    {
        public string RunId { get; init; } = "";
        public string Name { get; init; } = "";
        public string Kind { get; init; } = "";
        public long Attempt { get; init; }
        public string? Worker { get; init; }
        public string Run { get; init; } = "";
        public string Device { get; init; } = "";
        public long? LeaseUntil { get; init; }
        public long? StartedAt { get; init; }
        public long? MemoryBytes { get; init; }
        public long Done { get; init; }
        public long Total { get; init; }
    }
}
