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
        return await FindDamageAsync(found.Commit?.Outputs, root => FindDamageAsync(artifacts, root, cancellationToken)).ConfigureAwait(false) is { } damage
            ? new StepFinding(null, damage)
            : found;
    }

    /// <summary>What is wrong with the first of some outputs that is not whole, and which it is; null when all are whole.</summary>
    internal static async Task<string?> FindDamageAsync(IReadOnlyDictionary<string, ManifestRef>? outputs, Func<Digest, Task<string?>> find)
    {
        foreach (var (name, output) in outputs ?? new Dictionary<string, ManifestRef>())
        {
            if (await find(output.Root).ConfigureAwait(false) is { } damage)
                return $"its {name}: {damage}";
        }
        return null;
    }

    /// <summary>
    /// Whether a manifest and every blob that it names exist in full length. A blob that was cut off is stored again when
    /// the work is done again.
    /// </summary>
    public static async Task<bool> IsIntactAsync(this ArtifactStore artifacts, Digest root, CancellationToken cancellationToken) =>
        await FindDamageAsync(artifacts, root, cancellationToken).ConfigureAwait(false) is null;

    private static Task<string?> FindDamageAsync(ArtifactStore artifacts, Digest root, CancellationToken cancellationToken) =>
        FindDamageAsync(artifacts, root, blob => artifacts.Blobs.FindLengthAsync(blob, cancellationToken), cancellationToken);

    /// <summary>What is wrong with an artifact; null when it is whole.</summary>
    /// <param name="artifacts">The store.</param>
    /// <param name="root">The artifact.</param>
    /// <param name="lengthOf">Length of a blob in bytes, or null when it does not exist.</param>
    /// <param name="cancellationToken">Stops it.</param>
    internal static async Task<string?> FindDamageAsync(
        ArtifactStore artifacts, Digest root, Func<Digest, Task<long?>> lengthOf, CancellationToken cancellationToken)
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
            var lengths = await Task.WhenAll(group.Select(b => lengthOf(b.Key))).ConfigureAwait(false);
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
