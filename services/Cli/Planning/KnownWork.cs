using Espalier.Artifacts;
using Espalier.Pipelines.Keys;
using Espalier.Stages.Worker;

namespace Espalier.Cli.Planning;

/// <summary>Work that receipts in the store tell of, to compare planned work with.</summary>
internal sealed class KnownWork(IReadOnlyList<StepReceipt> receipts)
{
    private const int Most = 20_000;

    /// <summary>Reads the receipts of a store.</summary>
    public static async Task<KnownWork> ReadAsync(ArtifactStore store, CancellationToken cancellationToken)
    {
        var receipts = new List<StepReceipt>();
        await foreach (var record in store.Blobs.ListRecordsAsync(StepReceipt.RecordPrefix, cancellationToken).Take(Most).ConfigureAwait(false))
        {
            if (await StepReceipt.ReadAsync(store, record, cancellationToken).ConfigureAwait(false) is { } receipt)
                receipts.Add(receipt);
        }
        return new KnownWork(receipts);
    }

    /// <summary>The receipt whose work is most like a key: of the same stage, rather of the same step, with the fewest differences, the newest.</summary>
    public (StepReceipt Receipt, IReadOnlyList<KeyDifference> Differences)? Nearest(string step, StepKey key) =>
        receipts.Where(r => r.Kind == key.Kind && r.Key is not null)
            .Select(r => (Receipt: r, Differences: StepKey.Compare(r.Key!, key)))
            .OrderBy(r => r.Receipt.Step == step ? 0 : 1).ThenBy(r => r.Differences.Count).ThenByDescending(r => r.Receipt.Started)
            .Select(r => ((StepReceipt, IReadOnlyList<KeyDifference>)?)r)
            .FirstOrDefault();
}
