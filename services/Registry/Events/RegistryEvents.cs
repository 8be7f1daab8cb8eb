using System.Data.Common;
using System.Text.Json;
using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Events;

/// <summary>Something that happened, as it was written with the change itself.</summary>
/// <param name="Id">Number, from 1 without gaps in the order of commits.</param>
/// <param name="Kind"><c>model.registered</c>, <c>alias.moved</c> or <c>gate.decided</c>.</param>
/// <param name="Model">Model it happened to.</param>
/// <param name="Body">The message, as JSON.</param>
/// <param name="CreatedAt">When.</param>
public sealed record RegistryEvent(long Id, string Kind, string Model, string Body, DateTimeOffset CreatedAt);

/// <summary>
/// Events are written in the transaction of the change, and with them what is owed to the bus and to webhooks: none can be without
/// the others.
/// </summary>
public static class RegistryEvents
{
    /// <summary>What is owed to the bus.</summary>
    internal static readonly OutboxTable Outbox = new("registry_outbox");

    /// <summary>A version was registered.</summary>
    public const string ModelRegistered = "model.registered";

    /// <summary>An alias points elsewhere.</summary>
    public const string AliasMoved = "alias.moved";

    /// <summary>The gate of an alias let a version pass, or refused it.</summary>
    public const string GateDecided = "gate.decided";

    /// <summary>Every kind.</summary>
    public static IReadOnlyList<string> Kinds { get; } = [ModelRegistered, AliasMoved, GateDecided];

    internal static Task AddAsync(DbConnection connection, DbTransaction transaction, ModelRegistered message, string now) =>
        AddAsync(connection, transaction, ModelRegistered, message.Model, message with { EventId = Guid.CreateVersion7() }, now);

    internal static Task AddAsync(DbConnection connection, DbTransaction transaction, AliasMoved message, string now) =>
        AddAsync(connection, transaction, AliasMoved, message.Model, message with { EventId = Guid.CreateVersion7() }, now);

    internal static Task AddAsync(DbConnection connection, DbTransaction transaction, GateDecided message, string now) =>
        AddAsync(connection, transaction, GateDecided, message.Model, message with { EventId = Guid.CreateVersion7() }, now);

    internal static async Task<IReadOnlyList<RegistryEvent>> ReadAsync(DbConnection connection, string where, object parameters, int limit)
    {
        var rows = await connection.QueryAsync<(long Id, string Kind, string Model, string Body, string CreatedAt)>(
            $"select id, kind, model, body, created_at from registry_event where {where} order by id limit {limit}", parameters).ConfigureAwait(false);
        return [.. rows.Select(r => new RegistryEvent(r.Id, r.Kind, r.Model, r.Body, Timestamps.Read(r.CreatedAt)))];
    }

    private static async Task AddAsync<T>(DbConnection connection, DbTransaction transaction, string kind, string model, T message, string now)
    {
        var body = JsonSerializer.Serialize(message, WireJson.Options);
        var id = await connection.NextIdAsync(transaction, "event").ConfigureAwait(false);
        await connection.ExecuteAsync(
            "insert into registry_event(id, kind, model, body, created_at) values (@id, @kind, @model, @body, @now)", new { id, kind, model, body, now },
                transaction).ConfigureAwait(false);
        await Outbox.AddAsync(connection, transaction, "", kind, body, 0).ConfigureAwait(false);
        await WebhookDeliveries.ScheduleAsync(connection, transaction, id, kind, model, now).ConfigureAwait(false);
    }
}
