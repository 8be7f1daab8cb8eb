using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Surgery.Checkpoints;

/// <summary>Loads a model part by part, so that memory is that of one layer, or of the head.</summary>
public static class LayerDecoder
{
    /// <summary>One layer in float32, packed weights expanded; run it with <c>RunLayer(0, ...)</c>.</summary>
    /// <param name="config">The whole model's configuration, with the quantization that <paramref name="weights"/> are stored in.</param>
    /// <param name="weights">Source that holds at least the layer's tensors, under their own names.</param>
    /// <param name="layer">Which layer.</param>
    /// <param name="device">Where to run it.</param>
    /// <exception cref="InvalidModelException">Tensors of the layer that are missing, unknown, misshapen or not finite.</exception>
    public static MoeDecoder LoadLayer(ModelConfig config, IWeightSource weights, int layer, Device device)
    {
        var single = config.OnlyLayer(layer) with { VocabularySize = 1, TieEmbeddings = true };
        var prefix = TensorNames.Layer(layer);
        var names = weights.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
            .ToDictionary(name => TensorNames.Layer(0) + name[prefix.Length..]);
        // The parts outside the layers do not run: zeros of the least size.
        var decoder = MoeDecoder.Load(single, new Part(weights, names, config.HiddenSize, [TensorNames.Embedding, TensorNames.FinalNorm]), float32, device);
        decoder.StartAt(layer);
        return decoder;
    }

    /// <summary>Last norm and head in float32, without any layer; run it with <c>Head(...)</c>.</summary>
    /// <exception cref="InvalidModelException">One of them is missing, misshapen or not finite.</exception>
    public static MoeDecoder LoadHead(ModelConfig config, IWeightSource weights, Device device)
    {
        var names = new Dictionary<string, string>
        {
            [TensorNames.Embedding] = config.TieEmbeddings ? TensorNames.Embedding : TensorNames.Head,
            [TensorNames.FinalNorm] = TensorNames.FinalNorm,
        };
        var ends = config with { Layers = 0, DenseLayers = [], ExtraLayers = 0, TieEmbeddings = true, SiblingGroups = null, SiblingExclusive = false };
        return MoeDecoder.Load(ends, new Part(weights, names, config.HiddenSize, []), float32, device);
    }

    /// <summary>The embedding (V, H) as it is stored; the caller disposes it.</summary>
    /// <exception cref="InvalidModelException">It holds NaN or infinity.</exception>
    public static Tensor ReadEmbedding(IWeightSource weights)
    {
        using var scope = NewDisposeScope();
        var embedding = weights.Read(TensorNames.Embedding);
        return embedding.isfinite().all().item<bool>()
            ? embedding.DetachFromDisposeScope()
            : throw new InvalidModelException($"tensor '{TensorNames.Embedding}' holds NaN or infinity.");
    }

    /// <summary>Embeds tokens (B, S), int64, in float32: (B, S, H). Only the rows that are used become float32.</summary>
    public static Tensor Embed(Tensor embedding, Tensor tokens, Device device)
    {
        using var scope = NewDisposeScope();
        var rows = embedding.index_select(0, tokens.flatten()).to(float32); // (B S, H)
        return rows.view(tokens.shape[0], tokens.shape[1], embedding.shape[1]).to(device).MoveToOuterDisposeScope();
    }

    /// <summary>Shows tensors of a model under other names, and zeros for what is called for and does not run.</summary>
    private sealed class Part(IWeightSource weights, IReadOnlyDictionary<string, string> names, int width, IReadOnlyCollection<string> unused) : IWeightSource
    {
        public IReadOnlyCollection<string> Names { get; } = [.. names.Keys, .. unused];

        public WeightHeader Describe(string name) =>
            unused.Contains(name) ? new WeightHeader(ScalarType.Float32, ShapeOf(name)) : weights.Describe(names[name]);

        public Tensor Read(string name) => unused.Contains(name) ? zeros(ShapeOf(name)) : weights.Read(names[name]);

        private long[] ShapeOf(string name) => name == TensorNames.Embedding ? [1, width] : [width];
    }
}
