using System.Collections.Concurrent;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts;

/// <summary>A blob that an artifact names and that is missing or damaged.</summary>
/// <param name="Blob">The blob.</param>
/// <param name="Artifact">Root of an artifact that names it.</param>
/// <param name="Content">What it is there: <c>manifest</c>, <c>tensor 'NAME'</c>, <c>file 'PATH'</c>.</param>
/// <param name="IsMissing">Whether it is not there at all; false when its bytes are wrong.</param>
/// <param name="Detail">Where the damaged bytes are kept, and what to do.</param>
public sealed record BlobFault(Digest Blob, Digest Artifact, string Content, bool IsMissing, string Detail)
{
    /// <summary>The whole of it as a sentence: blob, artifact, remedy.</summary>
    public string Message => Content == ArtifactCheck.ManifestContent
        ? $"The manifest {Artifact.Hex} is {(IsMissing ? "missing" : "damaged")}. {Detail}"
        : $"The blob {Blob.Hex} with {Content} of {Artifact.Short} is {(IsMissing ? "missing" : "damaged")}. {Detail}";
}

/// <summary>Reads artifacts whole and compares every blob with its digest; a blob that several share is read once.</summary>
public sealed class ArtifactCheck(ArtifactStore artifacts)
{
    internal const string ManifestContent = "manifest";
    private const int ReadsAtOnce = 2;
    private readonly Dictionary<Digest, (Digest Artifact, string Content, long Bytes)> _blobs = [];
    private readonly List<BlobFault> _unreadable = [];

    /// <summary>Takes an artifact in; null when its manifest cannot be read, which is a fault that <see cref="RunAsync"/> reports.</summary>
    public async Task<Manifest?> AddAsync(Digest root, CancellationToken cancellationToken)
    {
        try
        {
            var manifest = await artifacts.ReadAsync(root, cancellationToken).ConfigureAwait(false);
            foreach (var file in manifest.Files)
                Add(file.Blob, root, $"file '{file.Path}'", file.SizeBytes);
            foreach (var tensor in manifest.Tensors)
                Add(tensor.Blob, root, $"tensor '{tensor.Name}'", tensor.Offset + tensor.SizeBytes);
            return manifest;
        }
        catch (Exception e) when (e is MissingBlobException or InvalidDataException)
        {
            _unreadable.Add(new BlobFault(root, root, ManifestContent, e is MissingBlobException and not DamagedBlobException, DetailOf(e)));
            return null;
        }
    }

    /// <summary>Reads everything; what is wrong, manifests first.</summary>
    public async Task<IReadOnlyList<BlobFault>> RunAsync(IProgress<(long Done, long Total)>? progress, CancellationToken cancellationToken)
    {
        var faults = new ConcurrentBag<BlobFault>();
        var (done, total) = (0L, _blobs.Values.Sum(b => b.Bytes));
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = ReadsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(_blobs, parallel, async (entry, token) =>
        {
            try
            {
                await artifacts.Blobs.VerifyAsync(entry.Key, bytes => progress?.Report((Interlocked.Add(ref done, bytes), total)), token).ConfigureAwait(false);
            }
            catch (MissingBlobException e)
            {
                faults.Add(new BlobFault(entry.Key, entry.Value.Artifact, entry.Value.Content, e is not DamagedBlobException, DetailOf(e)));
            }
        }).ConfigureAwait(false);
        return [.. _unreadable, .. faults.OrderBy(f => f.Artifact).ThenBy(f => f.Content, StringComparer.Ordinal)];
    }

    internal static string DetailOf(Exception fault) => fault switch
    {
        DamagedBlobException damaged => damaged.Detail,
        { InnerException: DamagedBlobException damaged } => damaged.Detail,
        MissingBlobException => $"The store does not have it. {DamagedBlobException.Remedy}",
        _ => fault.Message,
    };

    private void Add(Digest blob, Digest root, string content, long bytes)
    {
        if (!_blobs.TryGetValue(blob, out var known))
            _blobs[blob] = (root, content, bytes);
        else if (bytes > known.Bytes)
            _blobs[blob] = known with { Bytes = bytes };
    }
}
