using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Artifacts;

/// <summary>Committed results that can still be read.</summary>
public static class IntactSteps
{
    private const int ChecksAtOnce = 16;

    /// <summary>
    /// The committed result of a step key, if every byte that it names is still in the store: one read for each manifest and
    /// one existence check for each blob. Null when there is no commit, or when a blob is gone and the work must be done again.
    /// </summary>
    public static async Task<StepCommit?> FindIntactStepAsync(this ArtifactStore artifacts, Digest stepKey, CancellationToken cancellationToken)
    {
        if (await artifacts.FindStepAsync(stepKey, cancellationToken).ConfigureAwait(false) is not { } commit)
            return null;
        foreach (var output in commit.Outputs.Values)
        {
            if (!await IsIntactAsync(artifacts, output.Root, cancellationToken).ConfigureAwait(false))
                return null;
        }
        return commit;
    }

    /// <summary>Whether a manifest and every blob that it names exist.</summary>
    public static async Task<bool> IsIntactAsync(this ArtifactStore artifacts, Digest root, CancellationToken cancellationToken)
    {
        if (!await artifacts.Blobs.ExistsAsync(root, cancellationToken).ConfigureAwait(false))
            return false;
        var manifest = await artifacts.ReadAsync(root, cancellationToken).ConfigureAwait(false);
        var blobs = manifest.Files.Select(f => f.Blob).Concat(manifest.Tensors.Select(t => t.Blob)).Distinct();
        foreach (var group in blobs.Chunk(ChecksAtOnce))
        {
            var found = await Task.WhenAll(group.Select(b => artifacts.Blobs.ExistsAsync(b, cancellationToken))).ConfigureAwait(false);
            if (!found.All(f => f))
                return false;
        }
        return true;
    }
}
