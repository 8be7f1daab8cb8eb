using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using Espalier.Modeling.WeightFormats;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Surgery.Checkpoints;

/// <summary>Loads a model part by part, so that memory is that of one layer, or of the head.</summary>
public static class LayerDecoder
{
    /// <summary>One layer, packed weights expanded; run it with <c>RunLayer(0, ...)</c>.</summary>
    /// <param name="config">The whole model's configuration, with the quantization that <paramref name="weights"/> are stored in.</param>
    /// <param name="weights">Source that holds at least the layer's tensors, under their own names.</param>
    /// <param name="layer">Which layer.</param>
    /// <param name="device">Where to run it.</param>
    /// <param name="dtype">Type to hold it in; float32 when null.</param>
    /// <exception cref="InvalidModelException">Tensors of the layer that are missing, unknown, misshapen or not finite.</exception>
    public static MoeDecoder LoadLayer(ModelConfig config, IWeightSource weights, int layer, Device device, ScalarType? dtype = null)
    {
        var single = config.OnlyLayer(layer) with { VocabularySize = 1, TieEmbeddings = true };
        var prefix = TensorNames.Layer(layer);
        var names = weights.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
            .ToDictionary(name => TensorNames.Layer(0) + name[prefix.Length..]);
        // The parts outside the layers do not run: zeros of the least size.
        var decoder = MoeDecoder.Load(single, new Part(weights, names, config.HiddenSize, [TensorNames.Embedding, TensorNames.FinalNorm]), dtype, device);
        decoder.StartAt(layer);
        return decoder;
    }

    /// <summary>Last norm and head, without any layer; run it with <c>Head(...)</c>.</summary>
    /// <param name="config">The whole model's configuration.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="device">Where to run it.</param>
    /// <param name="dtype">Type to hold it in; float32 when null.</param>
    /// <exception cref="InvalidModelException">One of them is missing, misshapen or not finite.</exception>
    public static MoeDecoder LoadHead(ModelConfig config, IWeightSource weights, Device device, ScalarType? dtype = null)
    {
        var (embedding, head) = (ModuleOf(TensorNames.Embedding), ModuleOf(config.TieEmbeddings ? TensorNames.Embedding : TensorNames.Head));
        var names = weights.Names.Where(name => name.StartsWith(head, StringComparison.Ordinal)) // several where it is packed
            .ToDictionary(name => embedding + name[head.Length..]);
        if (weights.Names.Contains(TensorNames.FinalNorm))
            names[TensorNames.FinalNorm] = TensorNames.FinalNorm;
        var ends = config with { Layers = 0, DenseLayers = [], ExtraLayers = 0, TieEmbeddings = true, SiblingGroups = null, SiblingExclusive = false };
        return MoeDecoder.Load(ends, new Part(weights, names, config.HiddenSize, []), dtype, device);
    }

    /// <summary>The embedding (V, H) in its stored type, expanded when it is packed; the caller disposes it.</summary>
    /// <exception cref="InvalidModelException">It is missing, or holds NaN or infinity.</exception>
    public static Tensor ReadEmbedding(ModelConfig config, IWeightSource weights)
    {
        using var scope = NewDisposeScope();
        var embedding = StoredMatrix.Read(config, weights, TensorNames.Embedding);
        return embedding.isfinite().all().item<bool>()
            ? embedding.DetachFromDisposeScope()
            : throw new InvalidModelException($"tensor '{TensorNames.Embedding}' holds NaN or infinity.");
    }

    /// <summary>Embeds tokens (B, S), int64, in <paramref name="dtype"/>, float32 when null: (B, S, H). Only the rows that are used are cast.</summary>
    public static Tensor Embed(Tensor embedding, Tensor tokens, Device device, ScalarType? dtype = null)
    {
        using var scope = NewDisposeScope();
        var rows = embedding.index_select(0, tokens.flatten()).to(dtype ?? float32); // (B S, H)
        return rows.view(tokens.shape[0], tokens.shape[1], embedding.shape[1]).to(device).MoveToOuterDisposeScope();
    }

    private static string ModuleOf(string weight) => weight[..(weight.LastIndexOf('.') + 1)];

    /// <summary>Shows tensors of a model under other names, and zeros for what is called for and does not run.</summary>
    private sealed class Part(IWeightSource weights, IReadOnlyDictionary<string, string> names, int width, IReadOnlyCollection<string> unused) : IWeightSource
    {
        public IReadOnlyCollection<string> Names { get; } = [.. names.Keys, .. unused];

        public WeightHeader Describe(string name) =>
            unused.Contains(name) ? new WeightHeader(ScalarType.Float32, ShapeOf(name)) : weights.Describe(names[name]);

        public string NameInFile(string name) => names.TryGetValue(name, out var own) ? weights.NameInFile(own) : name;

        public Tensor Read(string name) => unused.Contains(name) ? zeros(ShapeOf(name)) : weights.Read(names[name]);

        private long[] ShapeOf(string name) => name == TensorNames.Embedding ? [1, width] : [width];
    }
}
