using Espalier.Contracts;

namespace Espalier.Artifacts;

/// <summary>What artifacts take in a store, where a blob that several share counts once.</summary>
/// <param name="LogicalBytes">Bytes of all artifacts as if nothing were shared, without manifests.</param>
/// <param name="PhysicalBytes">Bytes of the distinct blobs, manifests included.</param>
/// <param name="Blobs">Number of distinct blobs, manifests included.</param>
public sealed record StoreUsage(long LogicalBytes, long PhysicalBytes, int Blobs)
{
    /// <summary>Measures some artifacts. Parents are not followed.</summary>
    /// <exception cref="Blobs.MissingBlobException">A manifest is missing.</exception>
    public static async Task<StoreUsage> ComputeAsync(ArtifactStore store, IEnumerable<Digest> roots, CancellationToken cancellationToken)
    {
        var blobs = new Dictionary<Digest, long>();
        long logical = 0;
        foreach (var root in roots.Distinct())
            logical += await MarkAsync(store, root, blobs, cancellationToken).ConfigureAwait(false);
        return new StoreUsage(logical, blobs.Values.Sum(), blobs.Count);
    }

    /// <summary>Bytes that one artifact adds to a store that holds the others: its manifest, and the blobs that none of them has.</summary>
    /// <exception cref="Blobs.MissingBlobException">A manifest is missing.</exception>
    public static async Task<long> NewBytesAsync(ArtifactStore store, Digest root, IEnumerable<Digest> others, CancellationToken cancellationToken)
    {
        var held = new Dictionary<Digest, long>();
        foreach (var other in others.Distinct())
            await MarkAsync(store, other, held, cancellationToken).ConfigureAwait(false);
        var own = new Dictionary<Digest, long>();
        await MarkAsync(store, root, own, cancellationToken).ConfigureAwait(false);
        return own.Where(blob => !held.ContainsKey(blob.Key)).Sum(blob => blob.Value);
    }

    /// <summary>Adds every blob that an artifact needs, with its length, and returns the artifact's logical size.</summary>
    internal static async Task<long> MarkAsync(ArtifactStore store, Digest root, Dictionary<Digest, long> blobs, CancellationToken cancellationToken)
    {
        var manifest = await store.ReadAsync(root, cancellationToken).ConfigureAwait(false);
        blobs[root] = await store.Blobs.FindLengthAsync(root, cancellationToken).ConfigureAwait(false) ?? 0;
        foreach (var file in manifest.Files)
            blobs[file.Blob] = file.SizeBytes;
        // A pack ends where its last tensor ends.
        foreach (var tensor in manifest.Tensors)
            blobs[tensor.Blob] = Math.Max(blobs.GetValueOrDefault(tensor.Blob), tensor.Offset + tensor.SizeBytes);
        return manifest.SizeBytes;
    }
}
