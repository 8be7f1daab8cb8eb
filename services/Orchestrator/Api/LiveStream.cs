using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Espalier.Hosting.Events;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;

namespace Espalier.Orchestrator.Api;

/// <summary>
/// All that one browser follows, in one stream: <c>/api/v1/runs/live?topic=runs:&amp;topic=run.ID:0</c>. A browser has six connections to a
/// server, and every page would take one.
/// </summary>
internal static class LiveStream
{
    public static IResult Open(
        HttpRequest request, RunSources sources, IRunReader runs, LiveProgress progress, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            var topics = LiveTopic.Parse(request.Query["topic"]).Select(topic => ReadAsync(topic, sources, runs, progress, time, cancellationToken));
            return TypedResults.ServerSentEvents(MergedStreams.MergeAsync([.. topics], cancellationToken));
        }
        catch (FormatException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status400BadRequest);
        }
    }

    private static async IAsyncEnumerable<SseItem<string>> ReadAsync(
        LiveTopic topic, RunSources sources, IRunReader runs, LiveProgress progress, TimeProvider time,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var stream = topic.Name == LiveTopic.Runs ? PlatformEventStream.ReadAsync(topic.After, sources, time, cancellationToken)
            : Guid.TryParse(topic.Run, out var id) ? RunEventStream.ReadAsync(id, topic.After ?? 0, runs, progress, time, cancellationToken)
            : AsyncEnumerable.Empty<SseItem<string>>();
        yield return new LiveEvent(topic.Name, "tick").ToItem(); // a run that waits may say nothing for a long time
        await foreach (var item in stream.ConfigureAwait(false))
            yield return LiveEvent.Of(topic.Name, item).ToItem();
        yield return new LiveEvent(topic.Name, LiveEvent.End).ToItem();
    }
}
