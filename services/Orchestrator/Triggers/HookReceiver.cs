using System.Text.Json;
using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>A request to a webhook was taken.</summary>
/// <param name="Trigger">The trigger that it is for.</param>
/// <param name="IsNew">False when the same request was taken before.</param>
public sealed record HookAccepted(string Trigger, bool IsNew);

/// <summary>A request to a webhook is not taken.</summary>
internal sealed class HookRefusedException(int status, string message) : Exception(message)
{
    public int Status { get; } = status;
}

/// <summary>Makes events of requests to webhooks.</summary>
internal sealed class HookReceiver(LedgerDatabase database, HookSecrets secrets, Wakeups wakeups, TimeProvider time)
{
    private const int LongestDelivery = 200;

    /// <summary>Takes a request.</summary>
    /// <param name="name">Name of the trigger, or of a pipeline that has one webhook.</param>
    /// <param name="headers">Its headers.</param>
    /// <param name="body">Its body.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <exception cref="HookRefusedException">It is not taken.</exception>
    public async Task<HookAccepted> ReceiveAsync(string name, IHeaderDictionary headers, string body, CancellationToken cancellationToken)
    {
        var row = await FindAsync(name, cancellationToken).ConfigureAwait(false);
        if (row?.Read() is not IWebhookSettings hook)
            throw new HookRefusedException(StatusCodes.Status404NotFound, $"There is no webhook '{name}'.");
        var secret = secrets.Find(hook.Secret) ?? throw new HookRefusedException(
            StatusCodes.Status503ServiceUnavailable, $"The webhook takes no requests yet: {HookSecrets.Remedy(hook.Secret)}.");
        if (HookSignature.Problem(hook, secret, headers, body, time.GetUtcNow()) is { } problem)
            throw new HookRefusedException(StatusCodes.Status401Unauthorized, problem);
        return await KeepAsync(row, hook, headers, Read(body), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The webhook of this name, or the one that the pipeline of this name has; null when there is none.</summary>
    private async Task<TriggerRow?> FindAsync(string name, CancellationToken cancellationToken)
    {
        var rows = (await database.ReadAsync(
            connection => connection.QueryAsync<TriggerRow>(
                "select * from pipeline_trigger where kind = @kind and (name = @name or pipeline = @name)", new { kind = EventKinds.Webhook, name }),
            cancellationToken).ConfigureAwait(false)).AsList();
        if (rows.Find(r => r.Name == name) is { } exact)
            return exact;
        // Whoever asks has proven nothing yet, so the names are not told.
        return rows.Count <= 1
            ? rows.FirstOrDefault()
            : throw new HookRefusedException(
                StatusCodes.Status404NotFound,
                $"Pipeline '{name}' has {rows.Count} webhooks: send to {name}.{EventKinds.Webhook}.NAME, or to {name}.{EventKinds.Webhook} for the one "
                    + "without a name.");
    }

    private async Task<HookAccepted> KeepAsync(
        TriggerRow row, IWebhookSettings hook, IHeaderDictionary headers, JsonElement body, CancellationToken cancellationToken)
    {
        var delivery = headers[HookSignature.Delivery].ToString();
        if (delivery.Length > LongestDelivery || Espalier.Pipelines.Text.HostileText.Find(delivery) is not null)
        {
            throw new HookRefusedException(
                StatusCodes.Status422UnprocessableEntity, $"{HookSignature.Delivery} is at most {LongestDelivery} plain characters.");
        }
        var signature = hook.Proof == WebhookProof.Signature ? headers[HookSignature.Signature].ToString() : null;
        var isNew = await database.WriteAsync(async transaction =>
        {
            // Within its window a signed request could be sent again by whoever saw it; it is taken once.
            if (signature is not null && await transaction.ExecuteAsync(
                "insert into hook_request (signature, at) values (@key, @Now) on conflict (signature) do nothing",
                new { key = $"{row.Name}/{signature}", transaction.Now }).ConfigureAwait(false) == 0)
            {
                return false;
            }
            return await transaction.AddEventAsync(new HappenedEvent
            {
                Key = $"hook/{row.Name}/{(delivery.Length > 0 ? delivery : Guid.CreateVersion7().ToString("n"))}",
                Kind = EventKinds.Webhook,
                Target = row.Name,
                Fields = new { body, delivery },
            }).ConfigureAwait(false);
        }, cancellationToken).ConfigureAwait(false);
        wakeups.Triggers.Set();
        return new HookAccepted(row.Name, isNew);
    }

    private static JsonElement Read(string body)
    {
        try
        {
            var json = JsonSerializer.Deserialize<JsonElement>(body.Length == 0 ? "{}" : body, WireJson.Options);
            return json.ValueKind == JsonValueKind.Object ? json : throw new JsonException();
        }
        catch (JsonException)
        {
            throw new HookRefusedException(StatusCodes.Status422UnprocessableEntity, "The body is not a JSON object.");
        }
    }
}
