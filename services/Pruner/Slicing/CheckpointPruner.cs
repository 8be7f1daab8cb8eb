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
    /// <summary>Publishes the pruned checkpoint.</summary>
    /// <param name="store">Where.</param>
    /// <param name="layers">What stays, per MoE layer; every one has the same number of experts.</param>
    /// <param name="width">Neurons per expert of the result; experts with fewer are filled up with zeros.</param>
    /// <param name="stepKey">Key of the step, for the manifest's parent.</param>
    /// <param name="progress">Told the number of finished layers.</param>
    /// <param name="cancellationToken">Stops the work; nothing is published then.</param>
    public async Task<ManifestRef> WriteAsync(
        ArtifactStore store, IReadOnlyList<KeptUnits> layers, int width, Digest stepKey, Action<int> progress, CancellationToken cancellationToken)
    {
        using var writer = new CheckpointWriter(store);
        foreach (var file in source.Manifest.Files.Where(f => f.Path != "config.json"))
            writer.AddExisting(file);
        await AddConfigAsync(writer, layers, width, cancellationToken).ConfigureAwait(false);
        foreach (var tensor in source.Others)
            writer.AddExisting(tensor);
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
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task AddConfigAsync(CheckpointWriter writer, IReadOnlyList<KeptUnits> layers, int width, CancellationToken cancellationToken)
    {
        var experts = layers[0].Experts.Count;
        if (experts == source.Config.Experts && width == source.Config.ExpertSize)
        {
            writer.AddExisting(source.Manifest.Files.Single(f => f.Path == "config.json"));
            return;
        }
        var config = source.Config with
        {
            Experts = experts,
            ExpertSize = width,
            SiblingGroups = source.Config.SiblingGroups is { } groups ? Renumber(groups, layers) : null,
        };
        if (config.SiblingExclusive && config.SiblingGroups!.Any(g => g.Count > 0 && g.Distinct().Count() < config.ExpertsPerToken))
            throw new UserInputException(
                "This model routes by sibling groups, and a layer would keep fewer groups than experts per token. "
                    + "Lower 'ratio', or train with 'release-siblings' below 1 first.");
        await writer.AddFileAsync("config.json", config.ToJson(), cancellationToken).ConfigureAwait(false);
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
            if (neurons.Count == source.Config.ExpertSize && width == source.Config.ExpertSize)
            {
                writer.AddExisting(tensor, name);
                continue;
            }
            var bytes = Read(tensor);
            var element = FloatBytes.ElementSize(tensor.DType);
            var (hidden, isDown) = (source.Config.HiddenSize, tensor.Name.EndsWith(".down_proj.weight", StringComparison.Ordinal));
            var cut = isDown
                ? MatrixSlice.Columns(bytes, source.Config.ExpertSize, element, neurons, width)
                : MatrixSlice.Rows(bytes, hidden * element, neurons, width);
            await writer.AddTensorAsync(name, tensor.DType, isDown ? [hidden, width] : [width, hidden], cut, cancellationToken).ConfigureAwait(false);
        }
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
