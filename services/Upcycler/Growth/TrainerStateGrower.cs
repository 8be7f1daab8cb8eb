using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages.Surgery;
using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Growth;

/// <summary>
/// Optimizer policy <c>copy</c>: a new expert takes the moments (and the step count) of its source, a new router row
/// those of its source row; a router bias that growth created starts at zero. Expert moments are named, not moved.
/// </summary>
public sealed class TrainerStateGrower(MoeCheckpoint source, CheckpointReader state)
{
    private static readonly string[] Moments = ["exp_avg.", "exp_avg_sq."];

    /// <summary>Publishes the trainer state of the grown model.</summary>
    /// <param name="store">Where.</param>
    /// <param name="plans">One plan per layer.</param>
    /// <param name="grown">The grown model, whose router biases say which moments are needed.</param>
    /// <param name="stepKey">The step that does it.</param>
    /// <param name="cancellationToken">Stops the work; nothing is published then.</param>
    /// <exception cref="UserInputException">The state belongs to a model of another shape.</exception>
    public async Task<ManifestRef> WriteAsync(
        ArtifactStore store, IReadOnlyList<LayerPlan> plans, MoeCheckpoint grown, Digest stepKey, CancellationToken cancellationToken)
    {
        using var writer = new CheckpointWriter(store, ArtifactKind.TrainerState);
        foreach (var file in state.Manifest.Files)
            writer.AddExisting(file);
        foreach (var moment in Moments)
        {
            foreach (var tensor in source.Others)
                writer.AddExisting(Find(moment, tensor));
            foreach (var plan in plans)
            {
                for (var expert = 0; expert < plan.SourceOf.Count; expert++)
                    foreach (var tensor in source.Expert(plan.Layer, plan.SourceOf[expert]))
                        writer.AddExisting(Find(moment, tensor), moment + MoeCheckpoint.Rename(tensor.Name, expert));
                await AddRowsAsync(writer, moment, source.Router(plan.Layer), plan, cancellationToken).ConfigureAwait(false);
                if (source.RouterBias(plan.Layer) is { } bias)
                    await AddRowsAsync(writer, moment, bias, plan, cancellationToken).ConfigureAwait(false);
                else if (grown.RouterBias(plan.Layer) is { } created)
                    await writer.AddTensorAsync(moment + created.Name, "F32", created.Shape, new byte[plan.SourceOf.Count * sizeof(float)], cancellationToken).ConfigureAwait(false);
            }
        }
        if (state.Manifest.Properties is { } properties)
            writer.SetProperties(properties);
        writer.AddParent(new Parent(grown.Artifact.Root, "upcycled", stepKey));
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task AddRowsAsync(CheckpointWriter writer, string moment, TensorEntry router, LayerPlan plan, CancellationToken cancellationToken)
    {
        var entry = Find(moment, router);
        var rows = state.ReadAll(entry.Name);
        var rowBytes = rows.Length / source.Config.Experts;
        var grown = new byte[plan.SourceOf.Count * rowBytes];
        for (var expert = 0; expert < plan.SourceOf.Count; expert++)
            rows.AsSpan(plan.SourceOf[expert] * rowBytes, rowBytes).CopyTo(grown.AsSpan(expert * rowBytes));
        await writer.AddTensorAsync(entry.Name, entry.DType, [plan.SourceOf.Count, .. entry.Shape.Skip(1)], grown, cancellationToken).ConfigureAwait(false);
    }

    private TensorEntry Find(string moment, TensorEntry weight) =>
        state.Names.Contains(moment + weight.Name) && state.Entry(moment + weight.Name) is var entry && entry.Shape.SequenceEqual(weight.Shape)
            ? entry
            : throw new UserInputException(
                $"optimizer-state: the trainer-state has no '{moment}{weight.Name}' of shape [{string.Join(", ", weight.Shape)}]: it belongs to another model. Use reset.");
}
