using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Surgery;
using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Growth;

/// <summary>
/// Writes the grown checkpoint. Experts that are copies name the blobs of their sources, so no weight moves: what is
/// new in the store is the routers, <c>config.json</c> and the manifest. Experts that are changed are written one matrix
/// at a time.
/// </summary>
public sealed class CheckpointGrower(MoeCheckpoint source, UpcycleOptions options)
{
    /// <summary>Publishes the grown checkpoint.</summary>
    /// <param name="store">Where.</param>
    /// <param name="plans">One plan per layer.</param>
    /// <param name="stepKey">Key of the step, for the manifest's parent.</param>
    /// <param name="cancellationToken">Stops the work; nothing is published then.</param>
    public async Task<ManifestRef> WriteAsync(ArtifactStore store, IReadOnlyList<LayerPlan> plans, Digest stepKey, CancellationToken cancellationToken)
    {
        using var writer = new CheckpointWriter(store);
        foreach (var file in source.Manifest.Files.Where(f => f.Path != "config.json"))
            writer.AddExisting(file);
        writer.AddConfig(Configure(plans).ToJson());
        foreach (var tensor in source.Others.Where(tensor => !source.Config.IsInExtraLayer(tensor.Name)))
            writer.AddExisting(tensor);
        var routers = new RouterGrowth(source, options);
        foreach (var plan in plans)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await AddExpertsAsync(writer, plan, cancellationToken).ConfigureAwait(false);
            await AddRouterAsync(writer, routers, plan, cancellationToken).ConfigureAwait(false);
        }
        writer.AddParent(new Parent(source.Artifact.Root, "upcycled", stepKey));
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task AddExpertsAsync(CheckpointWriter writer, LayerPlan plan, CancellationToken cancellationToken)
    {
        var (experts, places) = (new DuplicatedExperts(source, plan, options), plan.Places());
        for (var expert = 0; expert < plan.SourceOf.Count; expert++)
        {
            var (origin, place) = (plan.SourceOf[expert], places[expert]);
            writer.AddExpertOrigin(new ExpertOrigin(plan.Layer, place, source.Artifact.Root, plan.Layer, origin));
            if (experts.IsExactCopy || expert < source.Config.Experts)
                foreach (var tensor in source.Expert(plan.Layer, origin))
                    writer.AddExisting(tensor, MoeCheckpoint.Rename(tensor.Name, place));
            else
                await AddMadeAsync(writer, plan, experts, expert, place, cancellationToken).ConfigureAwait(false);
        }
    }

    // One matrix is in memory at a time.
    private async Task AddMadeAsync(
        CheckpointWriter writer, LayerPlan plan, DuplicatedExperts experts, int expert, int place, CancellationToken cancellationToken)
    {
        if (experts.PeerOf(expert) is { } peer)
            writer.AddExpertOrigin(new ExpertOrigin(plan.Layer, place, source.Artifact.Root, plan.Layer, peer));
        foreach (var projection in (string[])["gate", "up", "down"])
        {
            cancellationToken.ThrowIfCancellationRequested();
            var entry = source.Projection(plan.Layer, plan.SourceOf[expert], projection);
            await writer.AddTensorAsync(MoeCheckpoint.Rename(entry.Name, place), entry.DType, entry.Shape,
                experts.ReadBytes(expert, projection), cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task AddRouterAsync(CheckpointWriter writer, RouterGrowth routers, LayerPlan plan, CancellationToken cancellationToken)
    {
        var router = routers.Grow(plan);
        var dtype = source.Router(plan.Layer).DType;
        await writer.AddTensorAsync(
            TensorNames.Router(plan.Layer), dtype, [router.Experts, router.Width], FloatBytes.FromFloats(dtype, router.Rows), cancellationToken)
                .ConfigureAwait(false);
        // Biases are float32 whatever the weights are: noise of 1e-3 beside a bias of 2 would vanish in bfloat16.
        if (router.Bias is { } bias)
            await writer.AddTensorAsync(TensorNames.RouterBias(plan.Layer), "F32", [router.Experts], FloatBytes.FromFloats("F32", bias), cancellationToken)
                .ConfigureAwait(false);
        if (router.SelectionBias is { } selection)
            await writer.AddTensorAsync(TensorNames.SelectionBias(plan.Layer), "F32", [router.Experts],
                FloatBytes.FromFloats("F32", selection), cancellationToken).ConfigureAwait(false);
    }

    // Layers without experts have no groups.
    private IReadOnlyList<IReadOnlyList<int>> Groups(IReadOnlyList<LayerPlan> plans)
    {
        return [.. Enumerable.Range(0, source.Config.Layers).Select(layer => plans.FirstOrDefault(plan => plan.Layer == layer)?.Origins ?? [])];
    }

    private ModelConfig Configure(IReadOnlyList<LayerPlan> plans) => source.Config with
    {
        Experts = LayerPlanner.Experts(source.Config.Experts, options),
        ExpertsPerToken = UpcycleRules.ExpertsPerToken(source.Config, options),
        TargetExpertsPerToken = options.Preserve == Preservation.Wide ? source.Config.ExpertsPerToken : null,
        SiblingGroups = Groups(plans),
        SiblingExclusive = options.Preserve == Preservation.SiblingExclusive,
        ExtraLayers = 0,
    };
}
