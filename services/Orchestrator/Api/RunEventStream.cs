using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;
using Espalier.Orchestrator.StateMachine;

namespace Espalier.Orchestrator.Api;

/// <summary>
/// A run's log as server-sent events, then what is added to it, and the newest progress in between; ends with the run. A
/// client that comes back with <c>Last-Event-ID</c> misses nothing.
/// </summary>
internal static class RunEventStream
{
    private const int Batch = 500;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    public static IResult Open(Guid id, HttpRequest request, IRunReader runs, LiveProgress progress, TimeProvider time, CancellationToken cancellationToken)
    {
        _ = long.TryParse(request.Headers["Last-Event-ID"], out var after);
        return TypedResults.ServerSentEvents(ReadAsync(id, after, runs, progress, time, cancellationToken));
    }

    public static async IAsyncEnumerable<SseItem<string>> ReadAsync(
        Guid id, long after, IRunReader runs, LiveProgress progress, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var told = new Dictionary<string, StepProgress>();
        while (true)
        {
            // Asked before the log is read: whatever ended the run is then in what is read.
            var state = await runs.FindStateAsync(id, cancellationToken).ConfigureAwait(false);
            var lines = await runs.ReadLogAsync(id, after, Batch, cancellationToken).ConfigureAwait(false);
            foreach (var line in lines)
            {
                after = line.Id;
                yield return new SseItem<string>(line.Body, EnumText.KebabOf(line.Type)) { EventId = line.Id.ToString(CultureInfo.InvariantCulture) };
            }
            foreach (var newest in progress.Of(id))
            {
                if (!ReferenceEquals(told.GetValueOrDefault(newest.Step.Name), newest))
                    yield return new SseItem<string>(JsonColumn.Write(newest), "step-progress");
                told[newest.Step.Name] = newest;
            }
            if (lines.Count < Batch)
            {
                if (state is not { } now || now.IsEnded())
                    yield break;
                await Task.Delay(Interval, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
