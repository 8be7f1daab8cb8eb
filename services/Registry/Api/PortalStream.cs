using System.Net;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Espalier.Hosting.Events;
using Espalier.Registry.Events;
using Microsoft.AspNetCore.Mvc;

namespace Espalier.Registry.Api;

/// <summary>
/// All that the tabs of one browser follow, in one stream: <c>/api/v1/live?topic=registry:&amp;topic=runs:&amp;topic=run.ID:0</c>. What the
/// orchestrator knows comes from there, with the caller's own key; when it cannot be reached, its topics are <see cref="LiveEvent.Lost"/>
/// and the others go on.
/// </summary>
internal sealed class PortalStream(PortalOptions options, TimeProvider time) : IDisposable
{
    private readonly HttpClient _client = new(
        new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = TimeSpan.FromSeconds(5) })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>Opens the stream.</summary>
    public IResult Open(HttpRequest request, [FromServices] EventFeed feed, CancellationToken cancellationToken)
    {
        try
        {
            var topics = LiveTopic.Parse(request.Query["topic"]);
            return TypedResults.ServerSentEvents(ReadAsync(topics, request.Headers.Authorization.ToString(), feed, cancellationToken));
        }
        catch (FormatException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status400BadRequest);
        }
    }

    public void Dispose() => _client.Dispose();

    private async IAsyncEnumerable<SseItem<string>> ReadAsync(
        IReadOnlyList<LiveTopic> topics, string authorization, EventFeed feed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        PortalMetrics.Streams.Add(1);
        try
        {
            var streams = topics.Where(t => t.Name == LiveTopic.Registry).Select(t => ReadRegistryAsync(t, feed, cancellationToken)).ToList();
            var elsewhere = topics.Where(t => t.Name != LiveTopic.Registry).ToList();
            if (elsewhere.Count > 0)
                streams.Add(ReadOrchestratorAsync(elsewhere, authorization, cancellationToken));
            await foreach (var item in MergedStreams.MergeAsync(streams, cancellationToken).ConfigureAwait(false))
                yield return item;
        }
        finally
        {
            PortalMetrics.Streams.Add(-1);
        }
    }

    private async IAsyncEnumerable<SseItem<string>> ReadRegistryAsync(
        LiveTopic topic, EventFeed feed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in EventRoutes.ReadAsync(topic.After, feed, time, cancellationToken).ConfigureAwait(false))
            yield return LiveEvent.Of(topic.Name, item).ToItem();
    }

    private async IAsyncEnumerable<SseItem<string>> ReadOrchestratorAsync(
        IReadOnlyList<LiveTopic> topics, string authorization, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var answer = await AskAsync(topics, authorization, cancellationToken).ConfigureAwait(false);
        if (answer is not null)
        {
            await using var body = await answer.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            var items = SseParser.Create(body).EnumerateAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
            await using var ends = items.ConfigureAwait(false);
            while (await IsMoreAsync(items).ConfigureAwait(false))
                yield return items.Current;
        }
        foreach (var topic in topics)
            yield return new LiveEvent(topic.Name, LiveEvent.Lost).ToItem();
    }

    private async Task<HttpResponseMessage?> AskAsync(IReadOnlyList<LiveTopic> topics, string authorization, CancellationToken cancellationToken)
    {
        if (options.Orchestrator.Length == 0)
            return null;
        var query = string.Join('&', topics.Select(t => $"topic={Uri.EscapeDataString(t.ToString())}"));
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(new Uri(options.Orchestrator), $"/api/v1/runs/live?{query}"));
        request.Headers.TryAddWithoutValidation("Authorization", authorization);
        try
        {
            var answer = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
            if (answer.StatusCode == HttpStatusCode.OK)
                return answer;
            answer.Dispose();
            return null;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static async Task<bool> IsMoreAsync(IAsyncEnumerator<SseItem<string>> items)
    {
        try
        {
            return await items.MoveNextAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return false;
        }
    }
}
