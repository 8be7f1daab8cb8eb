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
    public async Task<StoredResult> FindAsync(Digest key, CancellationToken cancellationToken)
    {
        if (store is null)
            return StoredResult.None;
        var found = await store.InspectStepAsync(key, cancellationToken).ConfigureAwait(false);
        return new StoredResult(found.Commit is { } commit ? new StepOutcome(commit.Outputs, commit.Metrics) { Notes = commit.Notes } : null, found.Damage);
    }

    /// <summary>Work that receipts tell of. Those that were read before are not read again.</summary>
    /// <param name="limit">Time for reading, or <see cref="Timeout.InfiniteTimeSpan"/>; what did not fit is read the next time.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <param name="before">Work that began later is left out; null takes all.</param>
    public async Task<PastSteps> ReadPastAsync(TimeSpan limit, CancellationToken cancellationToken, DateTimeOffset? before = null)
    {
        if (store is null)
            return PastSteps.None;
        var began = Stopwatch.GetTimestamp();
        await foreach (var record in store.Blobs.ListRecordsAsync(PastStep.RecordPrefix, cancellationToken).Take(MostReceipts).ConfigureAwait(false))
        {
            if (limit != Timeout.InfiniteTimeSpan && Stopwatch.GetElapsedTime(began) > limit)
                break;
            if (!_receipts.ContainsKey(record) && await store.Blobs.ReadRecordAsync(record, cancellationToken).ConfigureAwait(false) is { } bytes)
                _receipts[record] = Read(bytes);
        }
        return new PastSteps(_receipts.Values.OfType<PastStep>().Where(p => before is null || p.Started < before));
    }

    /// <summary>Receipts only explain: a damaged one is passed over.</summary>
    private static PastStep? Read(byte[] receipt)
    {
        try
        {
            return JsonSerializer.Deserialize<PastStep>(receipt, WireJson.Options);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
