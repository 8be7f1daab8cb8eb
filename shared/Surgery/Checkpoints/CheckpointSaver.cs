using Espalier.Artifacts.Checkpoints;
using Espalier.Modeling;
using Espalier.Modeling.Fused;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Surgery.Checkpoints;

/// <summary>Writes a decoder into a checkpoint.</summary>
public static class CheckpointSaver
{
    private const long StreamedBytes = 16 << 20; // smaller ones are copied, and stored some at a time

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

    /// <summary>Adds one tensor in element type <paramref name="type"/>; a large one is read where it lies.</summary>
    public static async Task AddTensorAsync(CheckpointWriter writer, string name, Tensor value, ScalarType type, CancellationToken cancellationToken)
    {
        var dtype = ElementTypes.NameOf(type);
        if (value.numel() * SizeOf(type) < StreamedBytes)
        {
            var (shape, copy) = Copy(value, type); // the tensor is freed before anything is waited for
            await writer.AddTensorAsync(name, dtype, shape, copy, cancellationToken).ConfigureAwait(false);
            return;
        }
        using var stored = OnHost(value, type);
        using var bytes = TensorMemory.Open(stored);
        await writer.AddTensorAsync(name, dtype, stored.shape, bytes, cancellationToken).ConfigureAwait(false);
    }

    private static (long[] Shape, byte[] Bytes) Copy(Tensor value, ScalarType type)
    {
        using var stored = OnHost(value, type);
        return (stored.shape, stored.bytes.ToArray());
    }

    private static long SizeOf(ScalarType type) => TensorTypes.CountBytes(ElementTypes.NameOf(type), [1]);

    private static Tensor OnHost(Tensor value, ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        return value.detach().to(type).cpu().contiguous().DetachFromDisposeScope();
    }
}
