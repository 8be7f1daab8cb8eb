using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Artifacts;

/// <summary>Committed results that can still be read.</summary>
public static class IntactSteps
{
    private const int ChecksAtOnce = 16;

    /// <summary>
    /// The committed result of a step key, if every byte that it names is still in the store: one read for each manifest and
    /// one existence check for each blob. Null when there is no commit, or when a blob is gone or a record or manifest is
    /// damaged, and the work must be done again.
    /// </summary>
    public static async Task<StepCommit?> FindIntactStepAsync(this ArtifactStore artifacts, Digest stepKey, CancellationToken cancellationToken) =>
        (await artifacts.InspectStepAsync(stepKey, cancellationToken).ConfigureAwait(false)).Commit;

    /// <summary>As <see cref="FindIntactStepAsync"/>, and why a result that is there cannot be used.</summary>
    public static async Task<StepFinding> InspectStepAsync(this ArtifactStore artifacts, Digest stepKey, CancellationToken cancellationToken)
    {
        var found = await artifacts.ReadStepAsync(stepKey, cancellationToken).ConfigureAwait(false);
        foreach (var (name, output) in found.Commit?.Outputs ?? new Dictionary<string, ManifestRef>())
        {
            if (await FindDamageAsync(artifacts, output.Root, cancellationToken).ConfigureAwait(false) is { } damage)
                return new StepFinding(null, $"its {name}: {damage}");
        }
        return found;
    }

    /// <summary>
    /// Whether a manifest and every blob that it names exist in full length. A blob that was cut off is stored again when
    /// the work is done again.
    /// </summary>
    public static async Task<bool> IsIntactAsync(this ArtifactStore artifacts, Digest root, CancellationToken cancellationToken) =>
        await FindDamageAsync(artifacts, root, cancellationToken).ConfigureAwait(false) is null;

    private static async Task<string?> FindDamageAsync(ArtifactStore artifacts, Digest root, CancellationToken cancellationToken)
    {
        var blobs = new Dictionary<Digest, long>();
        try
        {
            await StoreUsage.MarkAsync(artifacts, root, blobs, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is MissingBlobException or InvalidDataException or EndOfStreamException)
        {
            return e.Message;
        }
        foreach (var group in blobs.Chunk(ChecksAtOnce))
        {
            var lengths = await Task.WhenAll(group.Select(b => artifacts.Blobs.FindLengthAsync(b.Key, cancellationToken))).ConfigureAwait(false);
            foreach (var (blob, length) in group.Zip(lengths).Where(pair => pair.Second is not { } length || length < pair.First.Value))
                return length is null ? $"the blob {blob.Key.Short} is gone" : $"the blob {blob.Key.Short} has {length} of its {blob.Value} bytes";
        }
        return null;
    }

    /// <summary>Reads every blob of an artifact again and compares it with its digest.</summary>
    /// <exception cref="MissingBlobException">A blob is missing; the text says what is in it.</exception>
    /// <exception cref="InvalidDataException">A blob is damaged; the text says what is in it.</exception>
    public static async Task VerifyAsync(
        this ArtifactStore artifacts, Digest root, CancellationToken cancellationToken, IProgress<(long Done, long Total)>? progress = null)
    {
        var check = new ArtifactCheck(artifacts);
        await check.AddAsync(root, cancellationToken).ConfigureAwait(false);
        if (await check.RunAsync(progress, cancellationToken).ConfigureAwait(false) is [var first, ..])
            throw first.IsMissing
                ? new MissingBlobException(first.Blob, first.Message)
                : new InvalidDataException(first.Message, new DamagedBlobException(first.Blob, first.Message, first.Detail));
    }
}
