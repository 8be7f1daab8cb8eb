using System.Buffers.Binary;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Surgery.Checkpoints;
using Espalier.Surgery;
using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Growth;

/// <summary>
/// The optimizer's moments after growth. What existed keeps its moments; those of new experts and router rows follow the
/// policy: <c>reset-new</c> zeros and a step count of their own, <c>copy</c> the source's, <c>scale</c> the source's times
/// a/2 with a = clamp(1 - mean|W' - W| / mean|W|, 0.1, 1), <c>interpolate</c> half the source's and half those of the expert
/// with the most similar router row. (Expert Upcycling, arXiv 2604.19835.) The published code never saves any of them, and
/// its scale sets the step count to 0, which makes the first updates far too large or small; here it stays the source's.
/// A router bias that growth created starts at zero.
/// </summary>
public sealed class TrainerStateGrower(MoeCheckpoint source, CheckpointReader state, UpcycleOptions options)
{
    private readonly Dictionary<long, Digest> _zeros = [];

    /// <summary>Publishes the trainer state of the grown model.</summary>
    /// <param name="store">Where.</param>
    /// <param name="plans">One plan per layer.</param>
    /// <param name="grown">The grown model, whose router biases say which moments are needed.</param>
    /// <param name="stepKey">Key of the step, for the manifest's parent.</param>
    /// <param name="cancellationToken">Stops the work; nothing is published then.</param>
    /// <exception cref="UserInputException">The state belongs to a model of another shape.</exception>
    public async Task<ManifestRef> WriteAsync(
        ArtifactStore store, IReadOnlyList<LayerPlan> plans, MoeCheckpoint grown, Digest stepKey, CancellationToken cancellationToken)
    {
        using var writer = new CheckpointWriter(store, ArtifactKind.TrainerState);
        foreach (var file in state.Manifest.Files)
            writer.AddExisting(file);
        foreach (var moment in TrainerStateNames.Moments)
            foreach (var tensor in source.Others.Where(tensor => Keeps(moment, tensor)))
                writer.AddExisting(Find(moment, tensor));
        foreach (var plan in plans)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var layer = new MomentPolicy(source, grown, plan, options);
            foreach (var moment in TrainerStateNames.Moments)
            {
                await AddExpertsAsync(store, writer, moment, plan, layer, cancellationToken).ConfigureAwait(false);
                await AddRouterAsync(writer, moment, plan, layer, grown, cancellationToken).ConfigureAwait(false);
            }
            await AddStepsAsync(writer, plan, layer, cancellationToken).ConfigureAwait(false);
        }
        if (state.Manifest.Properties is { } properties)
            writer.SetProperties(properties);
        writer.AddParent(new Parent(grown.Artifact.Root, "upcycled", stepKey));
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task AddExpertsAsync(
        ArtifactStore store, CheckpointWriter writer, string moment, LayerPlan plan, MomentPolicy policy, CancellationToken cancellationToken)
    {
        var places = plan.Places();
        for (var expert = 0; expert < plan.SourceOf.Count; expert++)
            foreach (var projection in (string[])["gate", "up", "down"])
            {
                var weight = source.Projection(plan.Layer, plan.SourceOf[expert], projection);
                if (!Keeps(moment, weight))
                    continue;
                var entry = Find(moment, weight);
                var name = MoeCheckpoint.Rename(entry.Name, places[expert]);
                if (expert < source.Config.Experts || options.OptimizerState == OptimizerStatePolicy.Copy)
                    writer.AddExisting(entry, name);
                else if (options.OptimizerState == OptimizerStatePolicy.ResetNew)
                    writer.AddExisting(entry with { Name = name, Blob = await ZerosAsync(store, entry.SizeBytes, cancellationToken)
                        .ConfigureAwait(false), Offset = 0 });
                else
                {
                    var neighbor = source.Projection(plan.Layer, policy.NeighborOf(expert), projection);
                    var values = policy.Moments(expert, projection, Floats(entry), () => Floats(Find(moment, neighbor)));
                    await writer.AddTensorAsync(name, entry.DType, entry.Shape, FloatBytes.FromFloats(entry.DType, values), cancellationToken)
                        .ConfigureAwait(false);
                }
            }
    }

    private async Task AddRouterAsync(
        CheckpointWriter writer, string moment, LayerPlan plan, MomentPolicy policy, MoeCheckpoint grown, CancellationToken cancellationToken)
    {
        foreach (var (before, after) in ((TensorEntry?, TensorEntry?)[])
            [(source.Router(plan.Layer), grown.Router(plan.Layer)), (source.RouterBias(plan.Layer), grown.RouterBias(plan.Layer))])
        {
            if (after is null)
                continue;
            var values = before is null ? new float[plan.SourceOf.Count] : policy.Rows(Floats(Find(moment, before)));
            await writer.AddTensorAsync(moment + after.Name, "F32", after.Shape, FloatBytes.FromFloats("F32", values), cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task AddStepsAsync(CheckpointWriter writer, LayerPlan plan, MomentPolicy policy, CancellationToken cancellationToken)
    {
        var name = TrainerStateNames.ExpertSteps(plan.Layer);
        var all = state.Manifest.Properties?[TrainerStateNames.Steps]?.GetValue<long>() ?? 0;
        var before = state.Names.Contains(name)
            ? state.ReadAll(name).Chunk(sizeof(long)).Select(bytes => BinaryPrimitives.ReadInt64LittleEndian(bytes)).ToArray()
            : [.. Enumerable.Repeat(all, source.Config.Experts)];
        var steps = policy.Steps(before);
        if (steps.All(count => count == all))
            return;
        var bytes = new byte[steps.Length * sizeof(long)];
        for (var expert = 0; expert < steps.Length; expert++)
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(expert * sizeof(long)), steps[expert]);
        await writer.AddTensorAsync(name, "I64", [steps.Length], bytes, cancellationToken).ConfigureAwait(false);
    }

    private async Task<Digest> ZerosAsync(ArtifactStore store, long size, CancellationToken cancellationToken)
    {
        if (!_zeros.TryGetValue(size, out var digest))
            _zeros[size] = digest = (await store.Blobs.PutAsync(new byte[size], cancellationToken).ConfigureAwait(false)).Digest;
        return digest;
    }

    private float[] Floats(TensorEntry entry) => FloatBytes.ToFloats(entry.DType, state.ReadAll(entry.Name));

    // Muon keeps no second moments of matrices.
    private bool Keeps(string moment, TensorEntry weight) => moment != TrainerStateNames.SecondMoment || state.Names.Contains(moment + weight.Name)
        || TrainerStateNames.OptimizerOf(state.Manifest.Properties) != OptimizerNames.Muon;

    private TensorEntry Find(string moment, TensorEntry weight) =>
        state.Names.Contains(moment + weight.Name) && state.Entry(moment + weight.Name) is var entry && entry.Shape.SequenceEqual(weight.Shape)
            ? entry
            : throw new UserInputException(
                $"optimizer-state: the trainer-state has no '{moment}{weight.Name}' of shape [{string.Join(", ", weight.Shape)}]: "
                    + "it belongs to another model. Grow the model that it came with.");
}
