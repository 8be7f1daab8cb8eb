using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Stages.Worker;

namespace Espalier.Registry.Lineages;

/// <summary>One artifact in the ancestry of a model.</summary>
/// <param name="Root">Its manifest.</param>
/// <param name="Kind">What it is; null when the store no longer has the manifest.</param>
/// <param name="Parents">What it was made from.</param>
public sealed record LineageNode(Digest Root, ArtifactKind? Kind, IReadOnlyList<Parent> Parents)
{
    /// <summary>The work that made it, or null when unknown (imports).</summary>
    public MakingStep? Step { get; init; }
}

/// <summary>The work that made an artifact, as its receipt says.</summary>
/// <param name="Key">Step key.</param>
/// <param name="RunId">Run that did it; empty when the receipt is gone.</param>
/// <param name="Name">Name of the step in that run.</param>
/// <param name="Stage">Stage kind.</param>
/// <param name="Method">Method, where the stage has several.</param>
/// <param name="Seconds">Wall time; null when the receipt is gone.</param>
public sealed record MakingStep(Digest Key, Guid RunId, string Name, string Stage, string Method, double? Seconds);

/// <summary>Ancestry of artifacts, read from manifests and receipts, so it cannot be missing or wrong.</summary>
public static class Lineage
{
    private const int MaxNodes = 10_000;
    private const int MostSteps = 20_000;

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
        return await AddSourcesAsync(store, nodes, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<LineageNode> ReadAsync(ArtifactStore store, Digest root, CancellationToken cancellationToken)
    {
        try
        {
            var manifest = await store.ReadAsync(root, cancellationToken).ConfigureAwait(false);
            var key = manifest.Parents.Select(p => p.StepKey).FirstOrDefault(k => k is not null);
            return new LineageNode(root, manifest.Kind, manifest.Parents)
            {
                Step = key is { } known ? await ReadStepAsync(store, known, cancellationToken).ConfigureAwait(false) : null,
            };
        }
        catch (MissingBlobException)
        {
            return new LineageNode(root, null, []);
        }
    }

    // A dataset has no parents, so no manifest says which step made it; the committed steps do.
    private static async Task<IReadOnlyList<LineageNode>> AddSourcesAsync(ArtifactStore store, List<LineageNode> nodes, CancellationToken cancellationToken)
    {
        var unknown = nodes.Where(n => n is { Step: null, Kind: ArtifactKind.Dataset }).Select(n => n.Root).ToHashSet();
        if (unknown.Count == 0)
            return nodes;
        var found = new Dictionary<Digest, MakingStep>();
        var read = 0;
        await foreach (var record in store.Blobs.ListRecordsAsync("steps/", cancellationToken).ConfigureAwait(false))
        {
            if (found.Count == unknown.Count || ++read > MostSteps)
                break;
            if (!Digest.TryParse(record["steps/".Length..], out var key))
                continue;
            if (await store.FindStepAsync(key, cancellationToken).ConfigureAwait(false) is not { } commit)
                continue;
            foreach (var output in commit.Outputs.Values.Where(o => unknown.Contains(o.Root) && !found.ContainsKey(o.Root)))
                found[output.Root] = await ReadStepAsync(store, key, cancellationToken).ConfigureAwait(false);
        }
        return [.. nodes.Select(n => found.TryGetValue(n.Root, out var step) ? n with { Step = step } : n)];
    }

    private static async Task<MakingStep> ReadStepAsync(ArtifactStore store, Digest key, CancellationToken cancellationToken)
    {
        var receipt = await StepReceipt.FindAsync(store, key, cancellationToken).ConfigureAwait(false);
        return receipt is null
            ? new MakingStep(key, Guid.Empty, "", "", "", null)
            : new MakingStep(key, receipt.RunId, receipt.Step, receipt.Kind, MethodOf(receipt), receipt.Duration.TotalSeconds);
    }

    /// <summary>The method that a step used; empty where its stage has only one.</summary>
    internal static string MethodOf(StepReceipt? receipt)
    {
        if (receipt?.Key?.Options is not { ValueKind: JsonValueKind.Object } options)
            return "";
        return options.TryGetProperty("method", out var method) && method.ValueKind == JsonValueKind.String ? method.GetString()! : "";
    }
}
