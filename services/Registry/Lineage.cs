using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Registry;

/// <summary>One artifact in the ancestry of a model.</summary>
/// <param name="Root">Its manifest.</param>
/// <param name="Kind">What it is; null when the store no longer has the manifest.</param>
/// <param name="Parents">What it was made from.</param>
public sealed record LineageNode(Digest Root, ArtifactKind? Kind, IReadOnlyList<Parent> Parents);

/// <summary>Ancestry of artifacts, read from the manifests themselves, so it cannot be missing or wrong.</summary>
public static class Lineage
{
    private const int MaxNodes = 10_000;

    /// <summary>The artifact and all its ancestors, breadth first, each once.</summary>
    /// <exception cref="InvalidDataException">More than 10,000 ancestors.</exception>
    public static async Task<IReadOnlyList<LineageNode>> TraceAsync(ArtifactStore store, Digest root, CancellationToken cancellationToken)
    {
        var nodes = new List<LineageNode>();
        var seen = new HashSet<Digest> { root };
        var waiting = new Queue<Digest>([root]);
        while (waiting.TryDequeue(out var next))
        {
            if (nodes.Count == MaxNodes)
                throw new InvalidDataException($"The ancestry of {root.Short} has more than {MaxNodes} artifacts.");
            var node = await ReadAsync(store, next, cancellationToken).ConfigureAwait(false);
            nodes.Add(node);
            foreach (var parent in node.Parents.Where(p => seen.Add(p.Manifest)))
                waiting.Enqueue(parent.Manifest);
        }
        return nodes;
    }

    private static async Task<LineageNode> ReadAsync(ArtifactStore store, Digest root, CancellationToken cancellationToken)
    {
        try
        {
            var manifest = await store.ReadAsync(root, cancellationToken).ConfigureAwait(false);
            return new LineageNode(root, manifest.Kind, manifest.Parents);
        }
        catch (MissingBlobException)
        {
            return new LineageNode(root, null, []);
        }
    }
}
