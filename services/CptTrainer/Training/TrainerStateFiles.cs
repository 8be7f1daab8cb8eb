using System.Text.Json.Nodes;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// The trainer-state artifact: <c>exp_avg.NAME</c> and <c>exp_avg_sq.NAME</c> (float32) for every weight by its Hugging
/// Face name, experts one by one, so that growth can copy them; AdamW's step count in the properties.
/// </summary>
public static class TrainerStateFiles
{
    /// <summary>Writes the state of a finished run.</summary>
    public static async Task<ManifestRef> SaveAsync(
        ArtifactStore store, MoeDecoder decoder, AdamW optimizer, Artifacts.Manifests.Parent model, CancellationToken cancellationToken)
    {
        using var writer = new CheckpointWriter(store, ArtifactKind.TrainerState);
        foreach (var (prefix, moments) in Moments(optimizer))
            await AddAsync(writer, decoder, prefix, moments, cancellationToken).ConfigureAwait(false);
        await ExpertAges.SaveAsync(writer, decoder, optimizer, cancellationToken).ConfigureAwait(false);
        writer.SetProperties(new JsonObject { [TrainerStateNames.Steps] = optimizer.Steps });
        writer.AddParent(model);
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Fills the optimizer's moments.</summary>
    /// <exception cref="UserInputException">The state belongs to a model of another shape.</exception>
    public static async Task LoadAsync(ArtifactStore store, ManifestRef state, MoeDecoder decoder, AdamW optimizer, CancellationToken cancellationToken)
    {
        var reader = await CheckpointReader.OpenAsync(store, state, cancellationToken).ConfigureAwait(false);
        var stored = new StoredWeights(reader);
        foreach (var (prefix, moments) in Moments(optimizer))
        {
            foreach (var (name, value) in decoder.ExportWeights())
            {
                using var scope = NewDisposeScope();
                using var untracked = no_grad();
                using var _ = value;
                if (IsSelectionBias(name))
                    continue;
                if (!reader.Names.Contains(prefix + name) || !stored.Describe(prefix + name).Shape.SequenceEqual(value.shape))
                    throw new UserInputException(
                        $"The trainer-state {state.Root.Short} has no '{prefix + name}' of shape [{string.Join(", ", value.shape)}]: "
                        + "it belongs to another model. Use optimizer-state: reset.");
                Slice(decoder, moments, value).copy_(stored.Read(prefix + name));
            }
        }
        optimizer.Steps = reader.Manifest.Properties?[TrainerStateNames.Steps]?.GetValue<long>() ?? 0;
        optimizer.Late = ExpertAges.Load(reader, decoder, optimizer.Steps);
    }

    private static async Task AddAsync(CheckpointWriter writer, MoeDecoder decoder, string prefix, Tensor moments, CancellationToken cancellationToken)
    {
        foreach (var (name, value) in decoder.ExportWeights())
        {
            using var _ = value;
            if (IsSelectionBias(name))
                continue;
            using var slice = Slice(decoder, moments, value);
            await CheckpointSaver.AddTensorAsync(writer, prefix + name, slice, ScalarType.Float32, cancellationToken).ConfigureAwait(false);
        }
    }

    // Exported weights are views into the buffer, and moments have the buffer's layout.
    private static Tensor Slice(MoeDecoder decoder, Tensor moments, Tensor weight)
    {
        using var scope = NewDisposeScope();
        var offset = weight.storage_offset() - decoder.Buffer.Values.storage_offset();
        return moments.narrow(0, offset, weight.numel()).view(weight.shape).MoveToOuterDisposeScope();
    }

    private static bool IsSelectionBias(string name) => name.EndsWith("e_score_correction_bias", StringComparison.Ordinal);

    private static (string Prefix, Tensor Moments)[] Moments(AdamW optimizer) =>
        [(TrainerStateNames.FirstMoment, optimizer.FirstMoment), (TrainerStateNames.SecondMoment, optimizer.SecondMoment)];
}
