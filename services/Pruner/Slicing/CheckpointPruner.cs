using System.Text.Json.Nodes;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pruner.ExpertSelection;
using Espalier.Surgery;

namespace Espalier.Pruner.Slicing;

/// <summary>
/// Writes the pruned checkpoint, one tensor at a time. What is not cut names the blobs of the source. Removed experts
/// leave with their router rows and biases, so the softmax runs over those that stay: the same as masking the others
/// with a logit of minus infinity.
/// </summary>
public sealed class CheckpointPruner(MoeCheckpoint source)
{
    /// <summary>Sets single weights of the experts to zero; null when none are.</summary>
    internal WeightZeroing? Zeroing { get; init; }

    /// <summary>Publishes the pruned checkpoint.</summary>
    /// <param name="store">Where.</param>
    /// <param name="layers">What stays, per MoE layer; every one has the same number of experts.</param>
    /// <param name="width">Neurons per expert of the result; experts with fewer are padded with zeros.</param>
    /// <param name="stepKey">Key of the step, for the manifest's parent.</param>
    /// <param name="progress">Told the number of finished layers.</param>
    /// <param name="cancellationToken">Stops the work; nothing is published then.</param>
    public async Task<ManifestRef> WriteAsync(
        ArtifactStore store, IReadOnlyList<KeptUnits> layers, int width, Digest stepKey, Action<int> progress, CancellationToken cancellationToken)
    {
        var after = PrunedShape.Of(source.Config, layers[0].Experts.Count, width);
        using var writer = new CheckpointWriter(store);
        foreach (var file in source.Manifest.Files.Where(f => f.Path != "config.json"))
            writer.AddExisting(file);
        writer.AddConfig(Config(layers, after));
        foreach (var tensor in source.Others)
            await AddOtherAsync(writer, tensor, after, cancellationToken).ConfigureAwait(false);
        foreach (var layer in layers)
        {
            await AddRouterAsync(writer, layer, cancellationToken).ConfigureAwait(false);
            for (var expert = 0; expert < layer.Experts.Count; expert++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                await AddExpertAsync(writer, layer, expert, width, cancellationToken).ConfigureAwait(false);
                writer.AddExpertOrigin(new ExpertOrigin(layer.Layer, expert, source.Artifact.Root, layer.Layer, layer.Experts[expert]));
            }
            progress(layer.Layer + 1);
        }
        writer.AddParent(new Parent(source.Artifact.Root, "pruned", stepKey));
        if (Zeroing is not null)
            writer.SetProperties(new JsonObject { ["sparsity"] = Zeroing.ToJson() });
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private byte[] Config(IReadOnlyList<KeptUnits> layers, ModelConfig after)
    {
        if (after == source.Config)
            return source.Reader.ReadFile("config.json");
        var config = after with { SiblingGroups = source.Config.SiblingGroups is { } groups ? Renumber(groups, layers) : null };
        if (config.SiblingExclusive && config.SiblingGroups!.Any(g => g.Count > 0 && g.Distinct().Count() < config.ExpertsPerToken))
            throw new UserInputException(
                "This model routes by sibling groups, and a layer would keep fewer groups than experts per token. "
                    + "Lower 'ratio', or train with 'release-siblings' below 1 first.");
        return config.ToJson();
    }

    private async Task AddOtherAsync(CheckpointWriter writer, TensorEntry tensor, ModelConfig after, CancellationToken cancellationToken)
    {
        if (after.ExtraLayers < source.Config.ExtraLayers && source.Config.IsInExtraLayer(tensor.Name))
            return;
        if (after.SharedSize == source.Config.SharedSize || !tensor.Name.Contains(".mlp.shared_expert.", StringComparison.Ordinal))
        {
            writer.AddExisting(tensor);
            return;
        }
        await AddCutAsync(writer, tensor, tensor.Name, Enumerable.Range(0, source.Config.SharedSize).ToList(), after.SharedSize, cancellationToken)
            .ConfigureAwait(false);
    }

    private async Task AddRouterAsync(CheckpointWriter writer, KeptUnits layer, CancellationToken cancellationToken)
    {
        foreach (var tensor in new[] { source.Router(layer.Layer), source.RouterBias(layer.Layer), source.SelectionBias(layer.Layer) }.OfType<TensorEntry>())
        {
            if (layer.Experts.Count == source.Config.Experts)
            {
                writer.AddExisting(tensor);
                continue;
            }
            var bytes = Read(tensor);
            var row = bytes.Length / source.Config.Experts;
            await writer.AddTensorAsync(
                tensor.Name, tensor.DType, [layer.Experts.Count, .. tensor.Shape.Skip(1)],
                MatrixSlice.Rows(bytes, row, layer.Experts, layer.Experts.Count), cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task AddExpertAsync(CheckpointWriter writer, KeptUnits layer, int expert, int width, CancellationToken cancellationToken)
    {
        var neurons = layer.Neurons[expert];
        foreach (var tensor in source.Expert(layer.Layer, layer.Experts[expert]))
        {
            var name = MoeCheckpoint.Rename(tensor.Name, expert);
            if (Zeroing is not null)
            {
                var bytes = Zeroing.Zero(tensor, layer.Layer, expert, Read(tensor));
                await writer.AddTensorAsync(name, tensor.DType, tensor.Shape, bytes, cancellationToken).ConfigureAwait(false);
                continue;
            }
            if (neurons.Count == source.Config.ExpertSize && width == source.Config.ExpertSize)
            {
                writer.AddExisting(tensor, name);
                continue;
            }
            await AddCutAsync(writer, tensor, name, neurons, width, cancellationToken).ConfigureAwait(false);
        }
    }

    // One projection of an MLP with some of its neurons, then zero ones up to a width.
    private async Task AddCutAsync(
        CheckpointWriter writer, TensorEntry tensor, string name, IReadOnlyList<int> neurons, int width, CancellationToken cancellationToken)
    {
        var (bytes, element) = (Read(tensor), FloatBytes.ElementSize(tensor.DType));
        if (tensor.Name.EndsWith(".down_proj.weight", StringComparison.Ordinal))
            await writer.AddTensorAsync(name, tensor.DType, [tensor.Shape[0], width],
                MatrixSlice.Columns(bytes, (int)tensor.Shape[1], element, neurons, width), cancellationToken).ConfigureAwait(false);
        else
            await writer.AddTensorAsync(name, tensor.DType, [width, tensor.Shape[1]],
                MatrixSlice.Rows(bytes, (int)tensor.Shape[1] * element, neurons, width), cancellationToken).ConfigureAwait(false);
    }

    private byte[] Read(TensorEntry tensor)
    {
        var bytes = source.Read(tensor);
        FloatBytes.RequireFinite(tensor.Name, tensor.DType, bytes);
        return bytes;
    }

    private static IReadOnlyList<IReadOnlyList<int>> Renumber(IReadOnlyList<IReadOnlyList<int>> groups, IReadOnlyList<KeptUnits> layers)
    {
        var kept = layers.ToDictionary(layer => layer.Layer, layer => layer.Experts);
        return [.. groups.Select((group, layer) => kept.TryGetValue(layer, out var experts) ? Renumber([.. experts.Select(e => group[e])]) : group)];
    }

    // Groups are numbered from 0 without gaps, in the order of their first member.
    private static IReadOnlyList<int> Renumber(IReadOnlyList<int> groups)
    {
        var order = groups.Distinct().ToList();
        return [.. groups.Select(group => order.IndexOf(group))];
    }
}
