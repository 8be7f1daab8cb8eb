using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts;

/// <summary>An artifact that another was made from, directly or not, and whether its bytes are what its manifest says.</summary>
public sealed record AncestorCheck
{
    /// <summary>Root of its manifest.</summary>
    public required Digest Root { get; init; }

    /// <summary>What it is; null when its manifest cannot be read.</summary>
    public ArtifactKind? Kind { get; init; }

    /// <summary>How the artifact nearest to the one in question was made from it.</summary>
    public required string Relation { get; init; }

    /// <summary>The step that did that; null for an import.</summary>
    public Digest? StepKey { get; init; }

    /// <summary>Generations between: 1 for a parent.</summary>
    public required int Generation { get; init; }

    /// <summary>Whether everything is there and as the manifest says.</summary>
    public required bool Ok { get; init; }

    /// <summary>Tensors and files.</summary>
    public required int Checked { get; init; }

    /// <summary>Their bytes.</summary>
    public required long Bytes { get; init; }

    /// <summary>What is wrong: blob, artifact and remedy.</summary>
    public string? Problem { get; init; }
}

/// <summary>Reads an artifact and everything that it was made from, and compares all bytes with their digests.</summary>
public static class AncestryCheck
{
    /// <summary>Checks an artifact and its ancestors, nearest first; the artifact itself is generation 0.</summary>
    public static async Task<IReadOnlyList<AncestorCheck>> VerifyWithAncestorsAsync(
        this ArtifactStore artifacts, Digest root, IProgress<(long Done, long Total)>? progress, CancellationToken cancellationToken)
    {
        var check = new ArtifactCheck(artifacts);
        var family = await WalkAsync(check, root, cancellationToken).ConfigureAwait(false);
        var faults = await check.RunAsync(progress, cancellationToken).ConfigureAwait(false);
        var faultOf = faults.GroupBy(f => f.Blob).ToDictionary(g => g.Key, g => g.First());
        return [.. family.Select(member => Conclude(member.Parent, member.Generation, member.Manifest, faultOf))];
    }

    private static async Task<List<(Parent Parent, int Generation, Manifest? Manifest)>> WalkAsync(
        ArtifactCheck check, Digest root, CancellationToken cancellationToken)
    {
        var family = new List<(Parent, int, Manifest?)>();
        var seen = new HashSet<Digest> { root };
        var waiting = new Queue<(Parent Parent, int Generation)>([(new Parent(root, "", null), 0)]);
        while (waiting.TryDequeue(out var next))
        {
            var manifest = await check.AddAsync(next.Parent.Manifest, cancellationToken).ConfigureAwait(false);
            family.Add((next.Parent, next.Generation, manifest));
            foreach (var parent in manifest?.Parents ?? [])
                if (seen.Add(parent.Manifest))
                    waiting.Enqueue((parent, next.Generation + 1));
        }
        return family;
    }

    // A blob that parent and child share is a fault of both, whichever of them was asked first.
    private static AncestorCheck Conclude(Parent parent, int generation, Manifest? manifest, Dictionary<Digest, BlobFault> faultOf)
    {
        var blobs = manifest is null ? [parent.Manifest] : manifest.Files.Select(f => f.Blob).Concat(manifest.Tensors.Select(t => t.Blob));
        var fault = blobs.Select(blob => faultOf.GetValueOrDefault(blob)).FirstOrDefault(f => f is not null);
        return new AncestorCheck
        {
            Root = parent.Manifest, Kind = manifest?.Kind, Relation = parent.Relation, StepKey = parent.StepKey, Generation = generation,
            Ok = fault is null, Checked = manifest is null ? 0 : manifest.Files.Count + manifest.Tensors.Count, Bytes = manifest?.SizeBytes ?? 0,
            Problem = fault?.Message,
        };
    }
}
