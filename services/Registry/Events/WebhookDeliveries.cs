using System.Data.Common;
using Dapper;
using Espalier.Database;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Events;

/// <summary>
/// Events on their way to webhooks. Like messages of an outbox they are claimed by moving their time ahead, so that two registries
/// never deliver the same one at the same time; unlike them they stay, with what became of them.
/// </summary>
internal static class WebhookDeliveries
{
    /// <summary>No delivery is put off for longer: one that seems to be was written before the clock was set back, and is due.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(10);

    private const string Due = "state = 'waiting' and (next_at <= @now or next_at > @farthest)";

    /// <summary>Makes a delivery of an event for every webhook that wants it.</summary>
    public static async Task ScheduleAsync(DbConnection connection, DbTransaction transaction, long number, string kind, string model, string now)
    {
        var webhooks = await connection.QueryAsync<(string Id, string Events, string Model)>(
            "select id, events, model from registry_webhook", transaction: transaction).ConfigureAwait(false);
        foreach (var webhook in webhooks.Where(w => Wants(w.Events, w.Model, kind, model)))
            await ScheduleAsync(connection, transaction, webhook.Id, number, now).ConfigureAwait(false);
    }

    /// <summary>Makes a delivery, or makes an old one due again.</summary>
    public static Task ScheduleAsync(DbConnection connection, DbTransaction transaction, string webhook, long number, string now) =>
        connection.ExecuteAsync(
            """
            insert into registry_delivery(id, webhook, event, attempts, state, next_at, status, error, updated_at)
            values (@id, @webhook, @number, 0, 'waiting', @now, 0, '', @now)
            on conflict (id) do update set attempts = 0, state = 'waiting', next_at = excluded.next_at, updated_at = excluded.updated_at
            """,
            new { id = $"{webhook}-{number}", webhook, number, now }, transaction);

    /// <summary>Whether a webhook is told of an event.</summary>
    public static bool Wants(string events, string model, string kind, string name) =>
        events.Split(' ').Contains(kind) && (model.Length == 0 || model == name);

    /// <summary>Webhooks for which deliveries are due.</summary>
    public static Task<List<string>> ListDueAsync(RegistryDatabase database, DateTimeOffset now, CancellationToken cancellationToken) =>
        database.ReadAsync(
            async connection => (await connection.QueryAsync<string>(
                $"select distinct webhook from registry_delivery where {Due}",
                new { now = Timestamps.Write(now), farthest = Timestamps.Write(now + LongestWait) }).ConfigureAwait(false)).AsList(),
            cancellationToken);

    /// <summary>Takes due deliveries of one webhook until a time, those of the oldest events first.</summary>
    public static async Task<IReadOnlyList<DueDelivery>> ClaimAsync(RegistryDatabase database, string webhook, int limit, DateTimeOffset now,
        DateTimeOffset until, CancellationToken cancellationToken)
    {
        var wanted = new { webhook, now = Timestamps.Write(now), farthest = Timestamps.Write(now + LongestWait), limit };
        return await database.WriteAsync<IReadOnlyList<DueDelivery>>(async transaction =>
        {
            // In the order of events: times only say from when on a delivery may be tried.
            var ids = await transaction.QueryAsync<string>(
                $"select id from registry_delivery where webhook = @webhook and {Due} order by event, id limit @limit {transaction.Dialect.SkipLocked}",
                wanted).ConfigureAwait(false);
            var claimed = new { until = Timestamps.Write(until), ids = transaction.Dialect.List(ids) };
            await transaction.ExecuteAsync($"update registry_delivery set next_at = @until where {transaction.Dialect.In("id", "ids")}",
                claimed).ConfigureAwait(false);
            return await transaction.QueryAsync<DueDelivery>(
                $"""
                select d.id, cast(d.attempts as integer) as attempts, d.webhook, d.next_at, w.url, w.secret, e.id as number, e.kind, e.body
                from registry_delivery d join registry_webhook w on w.id = d.webhook join registry_event e on e.id = d.event
                where {transaction.Dialect.In("d.id", "ids")} order by d.event
                """, claimed).ConfigureAwait(false);
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes how an attempt ended, unless the delivery was claimed or replayed since.</summary>
    public static Task RecordAsync(
        RegistryDatabase database, DueDelivery delivery, string state, int status, string error, DateTimeOffset now, DateTimeOffset next,
            CancellationToken cancellationToken) =>
        database.WriteAsync(transaction => transaction.ExecuteAsync(
            """
            update registry_delivery set attempts = @attempts, state = @state, status = @status, error = @error, next_at = @next, updated_at = @now
            where id = @Id and next_at = @NextAt
            """,
            new { delivery.Id, delivery.NextAt, attempts = delivery.Attempts + 1, state, status, error, next = Timestamps.Write(next),
                now = Timestamps.Write(now) }), cancellationToken);
}

/// <summary>A delivery that this process has claimed.</summary>
internal sealed class DueDelivery
{
    /// <summary>Its id; a repeat has the same.</summary>
    public string Id { get; init; } = "";

    /// <summary>How often it was tried before.</summary>
    public int Attempts { get; init; }

    /// <summary>The webhook's id.</summary>
    public string Webhook { get; init; } = "";

    /// <summary>Until when it is claimed; the fence of what is written about it.</summary>
    public string NextAt { get; init; } = "";

    /// <summary>Where it goes.</summary>
    public string Url { get; init; } = "";

    /// <summary>Signs it.</summary>
    public string Secret { get; init; } = "";

    /// <summary>Number of the event.</summary>
    public long Number { get; init; }

    /// <summary>Kind of the event.</summary>
    public string Kind { get; init; } = "";

    /// <summary>The event, as JSON.</summary>
    public string Body { get; init; } = "";
}
