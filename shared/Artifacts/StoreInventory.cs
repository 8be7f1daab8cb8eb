using System.Collections.Concurrent;
using Espalier.Contracts;

namespace Espalier.Artifacts;

/// <summary>
/// What a store holds, listed once, so that every artifact of many can be looked at without asking for each of its blobs. Bytes are not
/// read, only manifests are: <see cref="StoreScrub"/> reads the bytes. Several may ask at the same time.
/// </summary>
public sealed class StoreInventory
{
    private readonly ArtifactStore _artifacts;
    private readonly Dictionary<Digest, long> _blobs;
    private readonly ConcurrentDictionary<Digest, string?> _damage = new();

    private StoreInventory(ArtifactStore artifacts, Dictionary<Digest, long> blobs, IReadOnlyList<Digest> steps) =>
        (_artifacts, _blobs, Steps) = (artifacts, blobs, steps);

    /// <summary>Number of blobs.</summary>
    public int Blobs => _blobs.Count;

    /// <summary>Their bytes.</summary>
    public long Bytes => _blobs.Values.Sum();

    /// <summary>Keys of the steps that the store has a record of.</summary>
    public IReadOnlyList<Digest> Steps { get; }

    /// <summary>Lists a store.</summary>
    public static async Task<StoreInventory> ReadAsync(ArtifactStore artifacts, CancellationToken cancellationToken)
    {
        var blobs = new Dictionary<Digest, long>();
        await foreach (var blob in artifacts.Blobs.ListAsync(cancellationToken).ConfigureAwait(false))
            blobs[blob.Digest] = blob.SizeBytes;
        var steps = new List<Digest>();
        await foreach (var record in artifacts.Blobs.ListRecordsAsync(StepRecords.Prefix, cancellationToken).ConfigureAwait(false))
        {
            if (Digest.TryParse(record[StepRecords.Prefix.Length..], out var key))
                steps.Add(key);
        }
        return new StoreInventory(artifacts, blobs, steps);
    }

    /// <summary>The record of a step and what is wrong with it or with what it names, as <see cref="IntactSteps.InspectStepAsync"/> finds it.</summary>
    public async Task<StepFinding> InspectStepAsync(Digest stepKey, CancellationToken cancellationToken)
    {
        var found = await _artifacts.ReadStepAsync(stepKey, cancellationToken).ConfigureAwait(false);
        return await FindDamageAsync(found.Commit?.Outputs, cancellationToken).ConfigureAwait(false) is { } damage ? new StepFinding(null, damage) : found;
    }

    /// <summary>What is wrong with the first of some outputs that is not whole, and which it is; null when all are whole.</summary>
    public Task<string?> FindDamageAsync(IReadOnlyDictionary<string, ManifestRef>? outputs, CancellationToken cancellationToken) =>
        IntactSteps.FindDamageAsync(outputs, root => FindDamageAsync(root, cancellationToken));

    /// <summary>What is wrong with an artifact: a manifest or a blob that is gone, cut off or damaged; null when it is whole.</summary>
    public async Task<string?> FindDamageAsync(Digest root, CancellationToken cancellationToken)
    {
        if (!_damage.TryGetValue(root, out var damage))
            _damage[root] = damage = await IntactSteps.FindDamageAsync(_artifacts, root, LengthOfAsync, cancellationToken).ConfigureAwait(false);
        return damage;

        // What was stored since the list was made is asked for.
        Task<long?> LengthOfAsync(Digest blob) => _blobs.TryGetValue(blob, out var length)
            ? Task.FromResult<long?>(length)
            : _artifacts.Blobs.FindLengthAsync(blob, cancellationToken);
    }

    /// <summary>
    /// Moves the record of a step aside when it cannot be used, so that the step counts as not done; looks again before, since somebody
    /// may have done it meanwhile. Returns the name of the record that keeps it, or null when there is nothing wrong with it any more.
    /// </summary>
    public async Task<string?> SetAsideAsync(Digest stepKey, CancellationToken cancellationToken) =>
        (await _artifacts.InspectStepAsync(stepKey, cancellationToken).ConfigureAwait(false)).Damage is null
            ? null
            : await _artifacts.SetAsideRecordAsync(StepRecords.Of(stepKey), cancellationToken).ConfigureAwait(false);
}
