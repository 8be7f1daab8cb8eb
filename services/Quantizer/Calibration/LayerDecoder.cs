using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Calibration;

/// <summary>Loads one layer of a model at a time, as a decoder of one layer, so that memory is that of a layer.</summary>
internal static class LayerDecoder
{
    /// <summary>The layer in float32, packed weights expanded; run it with <c>RunLayer(0, ...)</c>.</summary>
    /// <param name="config">The whole model's configuration, with the quantization that <paramref name="weights"/> are stored in.</param>
    /// <param name="weights">Source that holds at least the layer's tensors, under their own names.</param>
    /// <param name="layer">Which layer.</param>
    /// <param name="device">Where to run it.</param>
    public static MoeDecoder Load(ModelConfig config, IWeightSource weights, int layer, Device device)
    {
        var single = config with
        {
            Layers = 1,
            VocabularySize = 1,
            TieEmbeddings = true,
            SiblingGroups = config.SiblingGroups is { } groups ? [groups[layer]] : null,
        };
        return MoeDecoder.Load(single, new LayerSource(weights, layer, config.HiddenSize), float32, device);
    }

    // Shows one layer as layer 0; the parts outside the layers, which do not run, are zeros of the least size.
    private sealed class LayerSource(IWeightSource weights, int layer, int width) : IWeightSource
    {
        private readonly string _prefix = TensorNames.Layer(layer);

        public IReadOnlyCollection<string> Names { get; } =
        [
            TensorNames.Embedding,
            TensorNames.FinalNorm,
            .. weights.Names
                .Where(name => name.StartsWith(TensorNames.Layer(layer), StringComparison.Ordinal))
                .Select(name => TensorNames.Layer(0) + name[TensorNames.Layer(layer).Length..]),
        ];

        public WeightHeader Describe(string name) => name switch
        {
            TensorNames.Embedding => new WeightHeader(ScalarType.Float32, [1, width]),
            TensorNames.FinalNorm => new WeightHeader(ScalarType.Float32, [width]),
            _ => weights.Describe(Original(name)),
        };

        public Tensor Read(string name) => name switch
        {
            TensorNames.Embedding => zeros(1, width),
            TensorNames.FinalNorm => zeros(width),
            _ => weights.Read(Original(name)),
        };

        private string Original(string name) => _prefix + name[TensorNames.Layer(0).Length..];
    }
}
