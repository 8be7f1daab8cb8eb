using System.Text.Json.Nodes;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Artifacts;

/// <summary>An artifact that nobody but its owner names, made of <see cref="OwnedBlobs"/>: the saved position of a step.</summary>
public static class OwnedArtifact
{
    private const string OwnerProperty = "owner";

    // Deletes whatever was put until now; the clock of the store may be ahead of ours.
    private static readonly TimeSpan ClockDifference = TimeSpan.FromDays(1);

    /// <summary>Properties of a manifest that say whose it is.</summary>
    public static JsonObject PropertiesOf(Digest owner) => new() { [OwnerProperty] = owner.Hex };

    /// <summary>
    /// Deletes an artifact with all its blobs, if it is the owner's; what is another's, or gone, or was made otherwise, is left alone.
    /// Does nothing in a store that knows no deletion.
    /// </summary>
    /// <param name="store">Where it is.</param>
    /// <param name="root">Digest of its manifest.</param>
    /// <param name="owner">Whose it must be.</param>
    /// <param name="kept">Another artifact of the owner, whose blobs stay.</param>
    /// <param name="cancellationToken">Stops; what is deleted by then is gone.</param>
    public static async Task DeleteAsync(
        ArtifactStore store, Digest root, Digest owner, Digest? kept = null, CancellationToken cancellationToken = default)
    {
        if (root == kept || store.Blobs is not ICollectableBlobStore blobs
            || await FindAsync(store, root, owner, cancellationToken).ConfigureAwait(false) is not { } manifest)
            return;
        var needed = kept is { } other && await FindAsync(store, other, owner, cancellationToken).ConfigureAwait(false) is { } newer
            ? BlobsOf(newer).ToHashSet()
            : [];
        var since = TimeProvider.System.GetUtcNow() + ClockDifference;
        foreach (var blob in BlobsOf(manifest).Except(needed))
            await blobs.DeleteAsync(blob, since, cancellationToken).ConfigureAwait(false);
        await blobs.DeleteAsync(root, since, cancellationToken).ConfigureAwait(false); // last: a deletion that was cut off can be done again
    }

    private static IEnumerable<Digest> BlobsOf(Manifests.Manifest manifest) =>
        manifest.Files.Select(f => f.Blob).Concat(manifest.Tensors.Select(t => t.Blob)).Distinct();

    private static async Task<Manifests.Manifest?> FindAsync(ArtifactStore store, Digest root, Digest owner, CancellationToken cancellationToken)
    {
        try
        {
            var manifest = await store.ReadAsync(root, cancellationToken).ConfigureAwait(false);
            return manifest.Properties?[OwnerProperty] is JsonValue value && value.TryGetValue<string>(out var found) && found == owner.Hex ? manifest : null;
        }
        catch (Exception e) when (e is MissingBlobException or InvalidDataException)
        {
            return null;
        }
    }
}
