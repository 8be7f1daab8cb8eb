using System.Text.Json.Nodes;
using Espalier.Artifacts;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Surgery;

/// <summary>What both surgical stages report.</summary>
public static class SurgeryReport
{
    /// <summary>Publishes a report of JSON files.</summary>
    public static async Task<ManifestRef> PublishAsync(
        ArtifactStore store, IReadOnlyDictionary<string, JsonNode> files, IReadOnlyList<Parent> parents, CancellationToken cancellationToken)
    {
        var entries = new List<FileEntry>();
        foreach (var (path, content) in files.OrderBy(f => f.Key, StringComparer.Ordinal))
        {
            var receipt = await store.Blobs.PutAsync(CanonicalJson.Serialize(content), cancellationToken).ConfigureAwait(false);
            entries.Add(new FileEntry(path, receipt.Digest, receipt.SizeBytes));
        }
        return await store.PublishAsync(
            new Manifest { Kind = ArtifactKind.Report, Files = entries, Parents = parents }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Bytes that a checkpoint adds to a store that holds its source: tensors and files whose bytes the source does not
    /// name, and the manifest. A property of the two artifacts, whatever else the store holds.
    /// </summary>
    public static long NewBytes(Manifest source, Manifest result)
    {
        var known = source.Tensors.Select(t => (t.Blob, t.Offset)).Concat(source.Files.Select(f => (f.Blob, 0L))).ToHashSet();
        return result.Tensors.Select(t => (t.Blob, t.Offset, t.SizeBytes))
            .Concat(result.Files.Select(f => (f.Blob, Offset: 0L, f.SizeBytes)))
            .Distinct()
            .Where(part => !known.Contains((part.Blob, part.Offset)))
            .Sum(part => part.SizeBytes) + CanonicalJson.Serialize(result).Length;
    }
}
