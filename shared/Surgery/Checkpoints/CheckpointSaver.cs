using Espalier.Artifacts.Checkpoints;
using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Surgery.Checkpoints;

/// <summary>Writes a decoder into a checkpoint.</summary>
public static class CheckpointSaver
{
    /// <summary>
    /// Adds <c>config.json</c> and every weight in the type that <see cref="ModelConfig.WeightType"/> names; router biases
    /// stay float32. Weights that were stored packed are written plain.
    /// </summary>
    public static async Task AddAsync(CheckpointWriter writer, MoeDecoder decoder, CancellationToken cancellationToken)
    {
        var config = decoder.Config with { Quantization = null, ExtraLayers = 0 };
        await writer.AddFileAsync("config.json", config.ToJson(), cancellationToken).ConfigureAwait(false);
        var type = ElementTypes.FromConfig(config.WeightType);
        foreach (var (name, value) in decoder.ExportWeights())
        {
            var isRouterBias = name.Contains(".mlp.gate.", StringComparison.Ordinal) && name.EndsWith("bias", StringComparison.Ordinal);
            using (value)
                await AddTensorAsync(writer, name, value, isRouterBias ? ScalarType.Float32 : type, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Adds one tensor in element type <paramref name="type"/>.</summary>
    public static Task AddTensorAsync(CheckpointWriter writer, string name, Tensor value, ScalarType type, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var stored = value.detach().to(type).cpu().contiguous();
        return writer.AddTensorAsync(name, ElementTypes.NameOf(type), stored.shape, stored.bytes.ToArray(), cancellationToken);
    }
}
