using Dapper;
using Espalier.FaultInjection;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>Messages that committed transactions owe to the bus. A message is forgotten when the broker has confirmed it: at least once.</summary>
internal sealed class Outbox(LedgerDatabase database)
{
    private const string Due = "select id from outbox where not_before <= @Now order by id limit @limit";

    /// <summary>Sends due messages, oldest first; returns how many were sent. What fails to be sent stays.</summary>
    public async Task<int> DispatchAsync(int limit, Func<OutboxRow, Task> send, CancellationToken cancellationToken)
    {
        var isDue = await database.ReadAsync(
            connection => connection.QueryFirstOrDefaultAsync<long?>(Due, new { database.Now, limit = 1 }), cancellationToken).ConfigureAwait(false);
        if (isDue is null)
            return 0;
        var sent = database.HasOneProcess
            ? await SendThenForgetAsync(limit, send, cancellationToken).ConfigureAwait(false)
            : await ForgetWhileSendingAsync(limit, send, cancellationToken).ConfigureAwait(false);
        Faults.Reach(FaultPoints.OutboxRemoved);
        return sent;
    }

    /// <summary>Nobody else sends, and the one writer must not wait for the broker: read, send, delete.</summary>
    private async Task<int> SendThenForgetAsync(int limit, Func<OutboxRow, Task> send, CancellationToken cancellationToken)
    {
        var rows = await database.ReadAsync(async connection => (await connection.QueryAsync<OutboxRow>(
            $"select id, destination, type, body from outbox where id in ({Due}) order by id", new { database.Now, limit }).ConfigureAwait(false)).AsList(),
            cancellationToken).ConfigureAwait(false);
        var sent = new List<long>(rows.Count);
        Faults.Reach(FaultPoints.OutboxTaken);
        try
        {
            foreach (var row in rows)
            {
                await send(row).ConfigureAwait(false);
                Faults.Reach(FaultPoints.OutboxSent);
                sent.Add(row.Id);
            }
        }
        finally
        {
            if (sent.Count > 0)
                await database.WriteAsync(t => t.ExecuteAsync($"delete from outbox where {database.In("id", "@sent")}", new { sent }), CancellationToken.None).ConfigureAwait(false);
        }
        return sent.Count;
    }

    /// <summary>Several orchestrators send: each deletes the rows that it sends in one transaction, the others skip them. A broker that is away undoes it.</summary>
    private Task<int> ForgetWhileSendingAsync(int limit, Func<OutboxRow, Task> send, CancellationToken cancellationToken) =>
        database.WriteAsync(async transaction =>
        {
            var rows = await transaction.QueryAsync<OutboxRow>(
                $"delete from outbox where id in ({Due} {transaction.Dialect.SkipLocked}) returning id, destination, type, body",
                new { transaction.Now, limit }).ConfigureAwait(false);
            if (rows.Count > 0)
                Faults.Reach(FaultPoints.OutboxTaken);
            foreach (var row in rows.OrderBy(r => r.Id))
            {
                await send(row).ConfigureAwait(false);
                Faults.Reach(FaultPoints.OutboxSent);
            }
            return rows.Count;
        }, cancellationToken);
}

/// <summary>One message.</summary>
internal sealed class OutboxRow
{
    public long Id { get; init; }
    public string Destination { get; init; } = "";
    public string Type { get; init; } = "";
    public string Body { get; init; } = "";
}
