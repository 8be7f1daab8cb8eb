using System.Net;
using System.Security.Cryptography;
using Dapper;
using Espalier.Contracts;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Events;

/// <summary>An address that events are sent to.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Url">Where deliveries go.</param>
/// <param name="Events">Kinds of events.</param>
/// <param name="Model">Only this model; empty for all.</param>
/// <param name="CreatedBy">Who made it.</param>
/// <param name="Created">When.</param>
public sealed record Webhook(string Id, string Url, IReadOnlyList<string> Events, string Model, string CreatedBy, DateTimeOffset Created);

/// <summary>One event on its way to one webhook.</summary>
/// <param name="Id">Id of the delivery; a repeat has the same.</param>
/// <param name="Webhook">The webhook.</param>
/// <param name="Event">Number of the event.</param>
/// <param name="Attempts">How often it was tried.</param>
/// <param name="State"><c>waiting</c>, <c>delivered</c> or <c>failed</c>.</param>
/// <param name="Status">HTTP status of the last answer; 0 without one.</param>
/// <param name="Error">What went wrong last.</param>
/// <param name="Updated">Last change.</param>
public sealed record Delivery(string Id, string Webhook, long Event, int Attempts, string State, int Status, string Error, DateTimeOffset Updated);

/// <summary>Webhooks and their deliveries. Secrets are shown once, when the webhook is made.</summary>
public sealed class Webhooks(RegistryDatabase database, RegistryOptions options, TimeProvider time)
{
    private const int LongestUrl = 2000, Most = 100;

    /// <summary>Makes a webhook; the secret that signs its deliveries is never shown again.</summary>
    /// <exception cref="UserInputException">The address or an event is wrong.</exception>
    public async Task<(Webhook Webhook, string Secret)> CreateAsync(string url, IReadOnlyList<string>? events, string model, string actor,
        CancellationToken cancellationToken)
    {
        Check(url);
        if (model.Length > 0)
            ModelRegistry.ValidateName(model, "model name");
        var kinds = events is null || events.Count == 0 ? RegistryEvents.Kinds : events;
        if (kinds.Where(k => !RegistryEvents.Kinds.Contains(k)).ToList() is [var unknown, ..])
            throw new UserInputException($"There is no event '{unknown}': {string.Join(", ", RegistryEvents.Kinds)}.");
        var webhook = new Webhook(Guid.CreateVersion7().ToString("n"), url, kinds, model, actor, time.GetUtcNow());
        var secret = "whsec_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        if (await connection.ExecuteScalarAsync<long>("select count(*) from registry_webhook").ConfigureAwait(false) >= Most)
            throw new UserInputException($"There are {Most} webhooks already; delete one first.");
        await connection.ExecuteAsync(
            "insert into registry_webhook(id, url, events, model, secret, created_by, created_at) values (@Id, @Url, @kinds, @Model, @secret, @CreatedBy, @At)",
            new { webhook.Id, webhook.Url, kinds = string.Join(' ', kinds), webhook.Model, secret, webhook.CreatedBy,
                At = Timestamps.Write(webhook.Created) }).ConfigureAwait(false);
        return (webhook, secret);
    }

    /// <summary>Every webhook.</summary>
    public async Task<IReadOnlyList<Webhook>> ListAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var rows = await connection.QueryAsync<(string Id, string Url, string Events, string Model, string By, string At)>(
            "select id, url, events, model, created_by, created_at from registry_webhook order by id").ConfigureAwait(false);
        return [.. rows.Select(r => new Webhook(r.Id, r.Url, r.Events.Split(' '), r.Model, r.By, Timestamps.Read(r.At)))];
    }

    /// <summary>Deletes a webhook with its deliveries; false when there is none.</summary>
    public async Task<bool> DeleteAsync(string id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await connection.ExecuteAsync("delete from registry_delivery where webhook = @id", new { id }).ConfigureAwait(false);
        return await connection.ExecuteAsync("delete from registry_webhook where id = @id", new { id }).ConfigureAwait(false) > 0;
    }

    /// <summary>Deliveries of a webhook, newest event first.</summary>
    public async Task<IReadOnlyList<Delivery>> DeliveriesAsync(string webhook, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var rows = await connection.QueryAsync<(string Id, string Webhook, long Event, long Attempts, string State, long Status, string Error, string At)>(
            """
            select id, webhook, event, cast(attempts as bigint), state, cast(status as bigint), error, updated_at from registry_delivery
            where webhook = @webhook order by event desc limit @limit
            """, new { webhook, limit }).ConfigureAwait(false);
        return [.. rows.Select(r => new Delivery(r.Id, r.Webhook, r.Event, (int)r.Attempts, r.State, (int)r.Status, r.Error, Timestamps.Read(r.At)))];
    }

    /// <summary>
    /// Sends events again, from a number on: those that failed, those that were delivered, and those from before the webhook was made.
    /// Returns how many.
    /// </summary>
    public async Task<int> ReplayAsync(string webhook, long fromEvent, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        var found = await connection.QuerySingleOrDefaultAsync<(string Events, string Model)?>(
            "select events, model from registry_webhook where id = @webhook", new { webhook }, transaction).ConfigureAwait(false)
            ?? throw new UserInputException($"There is no webhook '{webhook}'.");
        var events = await connection.QueryAsync<(long Id, string Kind, string Model)>(
            "select id, kind, model from registry_event where id >= @fromEvent order by id limit 10000", new { fromEvent }, transaction).ConfigureAwait(false);
        var count = 0;
        var now = Timestamps.Write(time.GetUtcNow());
        foreach (var item in events.Where(e => WebhookDeliveries.Wants(found.Events, found.Model, e.Kind, e.Model)))
        {
            await WebhookDeliveries.ScheduleAsync(connection, transaction, webhook, item.Id, now).ConfigureAwait(false);
            count++;
        }
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return count;
    }

    /// <summary>Refuses what is not an address, and, unless that is allowed, addresses of this machine and of private networks.</summary>
    internal void Check(string url)
    {
        if (url.Length > LongestUrl || !Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme is not ("https" or "http")
            || address.UserInfo.Length > 0)
            throw new UserInputException("A webhook needs an address such as https://example.org/hook, without a user name in it.");
        if (!options.AllowPrivateWebhooks && (address.IsLoopback || IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) && IsPrivate(ip)))
            throw new UserInputException("The address is one of this machine or of a private network; registry:allow-private-webhooks permits that.");
    }

    /// <summary>Whether an address must not be called.</summary>
    internal static bool IsPrivate(IPAddress address)
    {
        var ip = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        if (IPAddress.IsLoopback(ip) || ip.Equals(IPAddress.Any) || ip.Equals(IPAddress.IPv6Any) || ip.IsIPv6LinkLocal || ip.IsIPv6UniqueLocal
            || ip.IsIPv6Multicast)
            return true;
        var bytes = ip.GetAddressBytes();
        // Addresses that stand for one of the older kind: ::a.b.c.d, 64:ff9b::a.b.c.d (translation), 2002:ab:cd:: (6to4); and the old site-local ones.
        if (bytes.Length == 16)
        {
            return ip.IsIPv6SiteLocal || bytes.AsSpan(0, 12).IndexOfAnyExcept((byte)0) < 0 && IsPrivate(new IPAddress(bytes[12..]))
                || bytes.AsSpan(0, 12) is [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0] && IsPrivate(new IPAddress(bytes[12..]))
                || bytes.AsSpan(0, 2) is [0x20, 0x02] && IsPrivate(new IPAddress(bytes[2..6]));
        }
        return bytes.Length == 4 && (bytes[0] is 0 or 10 or 127 || bytes[0] == 172 && bytes[1] is >= 16 and < 32 || bytes[0] == 192 && bytes[1] == 168
            || bytes[0] == 169 && bytes[1] == 254 || bytes[0] == 100 && bytes[1] is >= 64 and < 128 || bytes[0] >= 224);
    }
}
