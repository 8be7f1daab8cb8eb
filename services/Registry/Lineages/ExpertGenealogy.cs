using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Stages.Worker;

namespace Espalier.Registry.Lineages;

/// <summary>One ancestor of an expert.</summary>
public sealed record ExpertAncestor
{
    /// <summary>Manifest root of the checkpoint.</summary>
    public required Digest Root { get; init; }

    /// <summary>Model that it is a version of, if any.</summary>
    public string? Model { get; init; }

    /// <summary>Which version.</summary>
    public int? Version { get; init; }

    /// <summary>Step that made the checkpoint.</summary>
    public string? Step { get; init; }

    /// <summary>Stage kind of that step; <c>import</c> where none is known.</summary>
    public required string Kind { get; init; }

    /// <summary>Method of the step.</summary>
    public string? Method { get; init; }

    /// <summary>Layer.</summary>
    public required int Layer { get; init; }

    /// <summary>Experts of that layer which the expert comes from; several after a merge.</summary>
    public required IReadOnlyList<int> Experts { get; init; }

    /// <summary>Tokens that the step routed to them; 0 when it did not train.</summary>
    public required long Tokens { get; init; }
}

/// <summary>Where the experts of one checkpoint come from in another.</summary>
internal sealed class ExpertOrigins(IReadOnlyDictionary<(int Layer, int Expert), (int Layer, int Expert)>? map)
{
    /// <summary>The expert that an expert came from; itself when the checkpoints are unrelated; null when it has no ancestor there.</summary>
    public (int Layer, int Expert)? Find(int layer, int expert) =>
        map is null ? (layer, expert) : map.TryGetValue((layer, expert), out var from) ? from : null;
}

/// <summary>
/// Follows single experts back through copies, training, merges and pruning. A surgical step's manifest says for each
/// expert where it came from; any other step keeps the experts of the model it started from.
/// </summary>
internal static class ExpertGenealogy
{
    private const int MostGenerations = 1000;

    /// <summary>The expert itself, then its ancestors, newest first.</summary>
    /// <exception cref="UserInputException">The checkpoint has no such expert.</exception>
    public static async Task<IReadOnlyList<ExpertAncestor>> TraceAsync(
        ArtifactStore store, Digest root, int layer, int expert, CancellationToken cancellationToken)
    {
        var ancestors = new List<ExpertAncestor>();
        var generation = new List<(Digest Root, int Layer, List<int> Experts)> { (root, layer, [expert]) };
        var seen = new HashSet<(Digest, int)>();
        while (generation.Count > 0 && ancestors.Count < MostGenerations)
        {
            var older = new List<(Digest Root, int Layer, List<int> Experts)>();
            foreach (var (at, atLayer, experts) in generation.Where(g => seen.Add((g.Root, g.Layer))))
            {
                if (await ReadAsync(store, at, cancellationToken).ConfigureAwait(false) is not { } manifest)
                    continue;
                if (at == root)
                    Require(manifest, root, layer, expert);
                ancestors.Add(await DescribeAsync(store, at, manifest, atLayer, experts, cancellationToken).ConfigureAwait(false));
                foreach (var group in experts.SelectMany(e => OriginsOf(manifest, atLayer, e)).Distinct().GroupBy(o => (o.Parent, o.Layer)))
                    older.Add((group.Key.Parent, group.Key.Layer, [.. group.Select(o => o.Expert).Order()]));
            }
            generation = older;
        }
        return ancestors;
    }

    /// <summary>For every expert of <paramref name="child"/> the one of <paramref name="ancestor"/> that it came from, the first of several.</summary>
    public static async Task<ExpertOrigins> OriginsAsync(ArtifactStore store, Digest child, Digest ancestor, CancellationToken cancellationToken)
    {
        if (await PathAsync(store, child, ancestor, cancellationToken).ConfigureAwait(false) is { } down)
            return new ExpertOrigins(down.Map);
        if (await PathAsync(store, ancestor, child, cancellationToken).ConfigureAwait(false) is { } up)
            return new ExpertOrigins(up.Map.GroupBy(m => m.Value).ToDictionary(g => g.Key, g => g.Select(m => m.Key).Order().First()));
        return new ExpertOrigins(null);
    }

    private static async Task<(Dictionary<(int, int), (int, int)> Map, Digest At)?> PathAsync(
        ArtifactStore store, Digest from, Digest to, CancellationToken cancellationToken)
    {
        if (await ReadAsync(store, from, cancellationToken).ConfigureAwait(false) is not { } manifest)
            return null;
        var start = ExpertsOf(manifest).ToDictionary(e => e, e => e);
        var waiting = new Queue<(Digest Root, Manifest Manifest, Dictionary<(int, int), (int, int)> Map)>([(from, manifest, start)]);
        var seen = new HashSet<Digest> { from };
        while (waiting.TryDequeue(out var next) && seen.Count < MostGenerations)
        {
            if (next.Root == to)
                return (next.Map, to);
            foreach (var parent in ModelParents(next.Manifest).Where(seen.Add))
            {
                if (await ReadAsync(store, parent, cancellationToken).ConfigureAwait(false) is not { Kind: ArtifactKind.Checkpoint } older)
                    continue;
                var map = new Dictionary<(int, int), (int, int)>();
                foreach (var (own, at) in next.Map)
                {
                    foreach (var origin in OriginsOf(next.Manifest, at.Item1, at.Item2).Where(o => o.Parent == parent).Take(1))
                        map[own] = (origin.Layer, origin.Expert);
                }
                waiting.Enqueue((parent, older, map));
            }
        }
        return null;
    }

    private static IEnumerable<(Digest Parent, int Layer, int Expert)> OriginsOf(Manifest manifest, int layer, int expert)
    {
        var stated = manifest.Experts.Where(o => o.Layer == layer && o.Expert == expert).ToList();
        // A layer that surgery left alone is not in the map.
        return stated.Count > 0 || manifest.Experts.Any(o => o.Layer == layer)
            ? stated.Select(o => (o.Parent, o.ParentLayer, o.ParentExpert))
            : ModelParents(manifest).Select(p => (p, layer, expert));
    }

    private static IEnumerable<Digest> ModelParents(Manifest manifest) =>
        manifest.Parents.Where(p => p.Relation is not ("data" or "tokenizer" or "evaluated" or "teacher")).Select(p => p.Manifest).Distinct();

    private static IEnumerable<(int Layer, int Expert)> ExpertsOf(Manifest manifest) =>
        manifest.Tensors.Select(t => Comparisons.WeightDifferences.Place.Of(t.Name)).Where(p => p.Expert >= 0).Select(p => (p.Layer, p.Expert)).Distinct();

    private static void Require(Manifest manifest, Digest root, int layer, int expert)
    {
        if (!ExpertsOf(manifest).Contains((layer, expert)))
            throw new UserInputException($"{root.Short} has no expert {expert} in layer {layer}.");
    }

    private static async Task<ExpertAncestor> DescribeAsync(
        ArtifactStore store, Digest root, Manifest manifest, int layer, List<int> experts, CancellationToken cancellationToken)
    {
        var key = manifest.Parents.Select(p => p.StepKey).FirstOrDefault(k => k is not null);
        var receipt = key is { } known ? await StepReceipt.FindAsync(store, known, cancellationToken).ConfigureAwait(false) : null;
        return new ExpertAncestor
        {
            Root = root,
            Step = receipt?.Step,
            Kind = receipt?.Kind ?? (key is null ? "import" : ""),
            Method = Lineage.MethodOf(receipt) is { Length: > 0 } method ? method : null,
            Layer = layer,
            Experts = experts,
            Tokens = key is null ? 0 : await TokensAsync(store, key.Value, layer, experts, cancellationToken).ConfigureAwait(false),
        };
    }

    /// <summary>What the training report says: <c>load: [{step, layers: [[tokens by expert]]}]</c>, one entry for each part of the run.</summary>
    private static async Task<long> TokensAsync(ArtifactStore store, Digest key, int layer, List<int> experts, CancellationToken cancellationToken)
    {
        var report = await StepReport.FindAsync(store, key, cancellationToken).ConfigureAwait(false);
        if (report is not { ValueKind: JsonValueKind.Object } found
            || !found.TryGetProperty("load", out var load) || load.ValueKind != JsonValueKind.Array)
        {
            return 0;
        }
        long tokens = 0;
        foreach (var part in load.EnumerateArray())
        {
            if (part.TryGetProperty("layers", out var layers) && layer < layers.GetArrayLength())
                tokens += experts.Where(e => e < layers[layer].GetArrayLength()).Sum(e => layers[layer][e].GetInt64());
        }
        return tokens;
    }

    private static async Task<Manifest?> ReadAsync(ArtifactStore store, Digest root, CancellationToken cancellationToken)
    {
        try
        {
            return await store.ReadAsync(root, cancellationToken).ConfigureAwait(false);
        }
        catch (MissingBlobException)
        {
            return null;
        }
    }
}
