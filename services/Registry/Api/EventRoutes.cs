using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Espalier.Contracts;
using Espalier.Registry.Events;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary>Events: as a stream, and by webhook.</summary>
internal static class EventRoutes
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500), Silence = TimeSpan.FromSeconds(15);

    public static void Map(RouteGroupBuilder viewer, RouteGroupBuilder admin)
    {
        viewer.MapGet("/events", Stream)
            .WithName("followEvents").WithSummary("model.registered, alias.moved and gate.decided as server-sent events; Last-Event-ID misses nothing.");
        admin.MapGet("/webhooks", ListAsync).WithName("listWebhooks").WithSummary("Webhooks, without their secrets.");
        admin.MapPost("/webhooks", CreateAsync).WithName("createWebhook").WithSummary("Makes a webhook; its secret is shown only now.");
        admin.MapDelete("/webhooks/{id}", DeleteAsync).WithName("deleteWebhook").WithSummary("Removes a webhook.");
        admin.MapGet("/webhooks/{id}/deliveries", DeliveriesAsync).WithName("listDeliveries").WithSummary("What was delivered to a webhook, newest first.");
        admin.MapPost("/webhooks/{id}/replay", ReplayAsync).WithName("replayDeliveries").WithSummary("Delivers events again, from a number on.");
    }

    private static IResult Stream(HttpRequest request, EventFeed feed, TimeProvider time, CancellationToken cancellationToken)
    {
        long? after = long.TryParse(request.Headers["Last-Event-ID"], CultureInfo.InvariantCulture, out var last) ? last : null;
        return TypedResults.ServerSentEvents(ReadAsync(after, feed, time, cancellationToken));
    }

    public static async IAsyncEnumerable<SseItem<string>> ReadAsync(
        long? after, EventFeed feed, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var at = after ?? await feed.NewestAsync(cancellationToken).ConfigureAwait(false);
        var spoken = time.GetTimestamp();
        yield return new SseItem<string>("{}", "tick"); // the answer begins at once
        while (!cancellationToken.IsCancellationRequested)
        {
            foreach (var item in await feed.AfterAsync(at, cancellationToken).ConfigureAwait(false))
            {
                (at, spoken) = (item.Id, time.GetTimestamp());
                yield return new SseItem<string>(item.Body, item.Kind) { EventId = item.Id.ToString(CultureInfo.InvariantCulture) };
            }
            if (time.GetElapsedTime(spoken) > Silence)
            {
                spoken = time.GetTimestamp();
                yield return new SseItem<string>("{}", "tick"); // proxies close what is silent
            }
            await Task.Delay(Interval, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task<Ok<NewWebhookView>> CreateAsync(NewWebhook body, Webhooks webhooks, HttpContext http, CancellationToken cancellationToken)
    {
        var (webhook, secret) = await webhooks.CreateAsync(
            body.Url ?? "", body.Events, body.Model ?? "", http.Actor(), cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(new NewWebhookView(webhook, secret));
    }

    private static async Task<NoContent> DeleteAsync(string id, Webhooks webhooks, CancellationToken cancellationToken) =>
        await webhooks.DeleteAsync(id, cancellationToken).ConfigureAwait(false)
            ? TypedResults.NoContent()
            : throw new NotFoundException("There is no such webhook.");

    private static async Task<Ok<WebhookList>> ListAsync(Webhooks webhooks, CancellationToken cancellationToken) =>
        TypedResults.Ok(new WebhookList(await webhooks.ListAsync(cancellationToken).ConfigureAwait(false)));

    private static async Task<Ok<DeliveryList>> DeliveriesAsync(
        string id, Webhooks webhooks, CancellationToken cancellationToken, int? limit = null) =>
        TypedResults.Ok(new DeliveryList(await webhooks.DeliveriesAsync(id, Requests.Page(limit), cancellationToken).ConfigureAwait(false)));

    private static async Task<Ok<Replayed>> ReplayAsync(string id, ReplayRequest body, Webhooks webhooks, CancellationToken cancellationToken) =>
        TypedResults.Ok(new Replayed(await webhooks.ReplayAsync(id, body.From, cancellationToken).ConfigureAwait(false)));
}

/// <summary>The registered webhooks.</summary>
public sealed record WebhookList(IReadOnlyList<Webhook> Items);

/// <summary>A webhook to make; without events it gets all, without a model those of all models.</summary>
public sealed record NewWebhook(string? Url, IReadOnlyList<string>? Events, string? Model);

/// <summary>A new webhook and the secret that signs its deliveries.</summary>
public sealed record NewWebhookView(Webhook Webhook, string Secret);

/// <summary>The newest deliveries of a webhook.</summary>
public sealed record DeliveryList(IReadOnlyList<Delivery> Items);

/// <summary>Number of the first event to deliver again.</summary>
public sealed record ReplayRequest(long From);

/// <summary>How many deliveries were set up.</summary>
public sealed record Replayed(int Deliveries);
