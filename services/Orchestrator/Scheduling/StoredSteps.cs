using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Pipelines.Resolution;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>What a store knows of steps: their results, and the receipts of how they came about.</summary>
/// <param name="store">The store; null when there is none yet.</param>
public sealed class StoredSteps(ArtifactStore? store) : IStepResults
{
    private const int MostReceipts = 20_000;
    private readonly ConcurrentDictionary<string, PastStep?> _receipts = new(); // a receipt changes only when the same work is done again

    /// <inheritdoc/>
    public async Task<StepOutcome?> FindAsync(Digest key, CancellationToken cancellationToken) =>
        store is not null && await store.FindIntactStepAsync(key, cancellationToken).ConfigureAwait(false) is { } commit
            ? new StepOutcome(commit.Outputs, commit.Metrics)
            : null;

    /// <summary>Work that receipts tell of. Those that were read before are not read again.</summary>
    /// <param name="limit">Time for reading, or <see cref="Timeout.InfiniteTimeSpan"/>; what did not fit is read the next time.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<PastSteps> ReadPastAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        if (store is null)
            return PastSteps.None;
        var began = Stopwatch.GetTimestamp();
        await foreach (var record in store.Blobs.ListRecordsAsync(PastStep.RecordPrefix, cancellationToken).Take(MostReceipts).ConfigureAwait(false))
        {
            if (limit != Timeout.InfiniteTimeSpan && Stopwatch.GetElapsedTime(began) > limit)
                break;
            if (!_receipts.ContainsKey(record) && await store.Blobs.ReadRecordAsync(record, cancellationToken).ConfigureAwait(false) is { } bytes)
                _receipts[record] = JsonSerializer.Deserialize<PastStep>(bytes, WireJson.Options);
        }
        return new PastSteps(_receipts.Values.OfType<PastStep>());
    }
}
