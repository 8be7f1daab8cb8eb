using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;

namespace Espalier.Orchestrator.Api;

/// <summary>
/// Every change of state in any run as server-sent events, from now on or from <c>Last-Event-ID</c>, for lists that stay up to
/// date. A <c>tick</c> now and then says that the connection lives.
/// </summary>
internal static class PlatformEventStream
{
    private const int Batch = 500;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250), Tick = TimeSpan.FromSeconds(10);

    public static IResult Open(HttpRequest request, RunSources runs, TimeProvider time, CancellationToken cancellationToken)
    {
        long? after = long.TryParse(request.Headers["Last-Event-ID"], out var last) ? last : null;
        return TypedResults.ServerSentEvents(ReadAsync(after, runs, time, cancellationToken));
    }

    public static async IAsyncEnumerable<SseItem<string>> ReadAsync(
        long? from, RunSources runs, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var after = from ?? await runs.LastChangeAsync(cancellationToken).ConfigureAwait(false);
        var told = time.GetTimestamp();
        yield return Alive(after);
        while (true)
        {
            var changes = await runs.ReadChangesAsync(after, Batch, cancellationToken).ConfigureAwait(false);
            foreach (var change in changes)
            {
                after = change.Id;
                if (change.Type == nameof(StepLogged))
                    continue;
                told = time.GetTimestamp();
                yield return new SseItem<string>(change.Body, EnumText.KebabOf(change.Type)) { EventId = change.Id.ToString(CultureInfo.InvariantCulture) };
            }
            if (changes.Count == Batch)
                continue;
            if (time.GetElapsedTime(told) >= Tick)
            {
                told = time.GetTimestamp();
                yield return Alive(after);
            }
            await Task.Delay(Interval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private static SseItem<string> Alive(long after) => new("{}", "tick") { EventId = after.ToString(CultureInfo.InvariantCulture) };
}
