using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Registry.Api;

/// <summary>A manifest from outside: hostile until every entry was checked against the store.</summary>
internal static class UploadedManifest
{
    private const int LongestRelation = 100;

    /// <summary>Publishes a checked manifest.</summary>
    /// <exception cref="UserInputException">It is not a checkpoint, contradicts itself, claims parents that are not here, or a blob is missing.</exception>
    public static async Task<ManifestRef> PublishAsync(ArtifactStore artifacts, Manifest manifest, CancellationToken cancellationToken)
    {
        if (!IsComplete(manifest))
            throw new UserInputException("The manifest has an empty place: files, tensors, parents and experts are lists of complete entries.");
        if (manifest.Kind != ArtifactKind.Checkpoint || manifest.Version != 1)
            throw new UserInputException("Only manifests of checkpoints, version 1, can be uploaded.");
        CheckEntries(manifest);
        await CheckBlobsAsync(artifacts, manifest, cancellationToken).ConfigureAwait(false);
        foreach (var parent in manifest.Parents.Select(p => p.Manifest).Concat(manifest.Experts.Select(e => e.Parent)).Distinct())
        {
            if (!await artifacts.Blobs.ExistsAsync(parent, cancellationToken).ConfigureAwait(false))
                throw new UserInputException($"The manifest names a parent {parent.Short} that is not stored here; upload the parent first.");
        }
        return await artifacts.PublishAsync(manifest, cancellationToken).ConfigureAwait(false);
    }

    // What was read from JSON may hold null wherever a type says that it does not.
    private static bool IsComplete(Manifest? manifest) =>
        manifest is { Files: { } files, Tensors: { } tensors, Parents: { } parents, Experts: { } experts }
            && files.All(f => f?.Path is not null)
            && tensors.All(t => t is { Name: not null, DType: not null, Shape: not null })
            && parents.All(p => p?.Relation is not null)
            && experts.All(e => e is not null);

    private static void CheckEntries(Manifest manifest)
    {
        try
        {
            foreach (var file in manifest.Files)
                EntryPath.Check(file.Path);
        }
        catch (ArgumentException e)
        {
            throw new UserInputException(e.Message, e);
        }
        if (HasTwins(manifest.Files.Select(f => f.Path)) || HasTwins(manifest.Tensors.Select(t => t.Name)))
            throw new UserInputException("The manifest lists a file or tensor twice.");
        if (manifest.Tensors.FirstOrDefault(t => !IsConsistent(t)) is { } wrong)
        {
            var shape = string.Join(", ", wrong.Shape);
            throw new UserInputException(
                $"The manifest contradicts itself about a tensor: {wrong.DType} of shape [{shape}] and {wrong.SizeBytes} bytes.");
        }
        if (manifest.Parents.Any(p => p.Relation.Length > LongestRelation || p.Relation.Any(char.IsControl)))
            throw new UserInputException($"The relation to a parent is a word of at most {LongestRelation} characters.");
        if (manifest.Files.Any(f => f.SizeBytes < 0))
            throw new UserInputException("The manifest lists a file of negative length.");
    }

    private static bool HasTwins(IEnumerable<string> names) => names.GroupBy(n => n, StringComparer.Ordinal).Any(g => g.Count() > 1);

    private static bool IsConsistent(TensorEntry tensor) =>
        tensor.Offset >= 0
            && TensorTypes.TryCountBytes(tensor.DType, tensor.Shape, out var bytes, out _)
            && bytes == tensor.SizeBytes
            && tensor.Offset <= long.MaxValue - bytes;

    private static async Task CheckBlobsAsync(ArtifactStore artifacts, Manifest manifest, CancellationToken cancellationToken)
    {
        var needed = new Dictionary<Digest, long>();
        foreach (var file in manifest.Files)
            needed[file.Blob] = Math.Max(needed.GetValueOrDefault(file.Blob), file.SizeBytes);
        foreach (var tensor in manifest.Tensors)
            needed[tensor.Blob] = Math.Max(needed.GetValueOrDefault(tensor.Blob), tensor.Offset + tensor.SizeBytes);
        foreach (var (blob, bytes) in needed)
        {
            if (await artifacts.Blobs.FindLengthAsync(blob, cancellationToken).ConfigureAwait(false) is not { } length || length < bytes)
                throw new UserInputException($"The blob {blob.Hex} is not stored, or shorter than the manifest says; send it first.");
        }
        if (manifest.Files.FirstOrDefault(f => f.Blob != default && needed[f.Blob] != f.SizeBytes) is { } other)
            throw new UserInputException($"The manifest contradicts itself about the length of '{other.Path}'.");
    }
}
