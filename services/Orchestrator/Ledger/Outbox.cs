using Dapper;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>Messages that committed transactions owe to the bus. Taken rows come back after a while unless they are removed: at least once.</summary>
internal sealed class Outbox(LedgerDatabase database)
{
    private const long VisibleAgainMilliseconds = 10_000;

    /// <summary>Takes due messages, oldest first.</summary>
    public async Task<IReadOnlyList<OutboxRow>> TakeAsync(int limit, CancellationToken cancellationToken)
    {
        var isDue = await database.ReadAsync(
            connection => connection.QueryFirstOrDefaultAsync<long?>("select id from outbox where not_before <= @Now limit 1", new { database.Now }),
            cancellationToken).ConfigureAwait(false);
        if (isDue is null)
            return [];
        var rows = await database.WriteAsync(transaction => transaction.QueryAsync<OutboxRow>(
            $"""
            update outbox set not_before = @again
             where id in (select id from outbox where not_before <= @Now order by id limit @limit {transaction.Dialect.SkipLocked})
            returning id, destination, type, body
            """,
            new { transaction.Now, again = transaction.Now + VisibleAgainMilliseconds, limit }), cancellationToken).ConfigureAwait(false);
        return [.. rows.OrderBy(r => r.Id)];
    }

    /// <summary>Forgets messages that the broker has confirmed.</summary>
    public Task RemoveAsync(IReadOnlyCollection<long> ids, CancellationToken cancellationToken) =>
        database.WriteAsync(transaction => transaction.ExecuteAsync($"delete from outbox where {database.In("id", "@ids")}", new { ids }), cancellationToken);

    /// <summary>Makes taken messages due again.</summary>
    public Task ReturnAsync(IReadOnlyCollection<long> ids, CancellationToken cancellationToken) =>
        database.WriteAsync(transaction => transaction.ExecuteAsync(
            $"update outbox set not_before = @Now where {database.In("id", "@ids")}", new { transaction.Now, ids }), cancellationToken);
}

/// <summary>One message.</summary>
internal sealed class OutboxRow
{
    public long Id { get; init; }
    public string Destination { get; init; } = "";
    public string Type { get; init; } = "";
    public string Body { get; init; } = "";
}
