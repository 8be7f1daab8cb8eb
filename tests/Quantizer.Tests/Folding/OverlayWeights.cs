using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Tests.Folding;

/// <summary>The weights of a decoder, each changed on its way.</summary>
internal sealed class OverlayWeights : IWeightSource
{
    private readonly SortedDictionary<string, Tensor> _weights = new(StringComparer.Ordinal);

    public OverlayWeights(MoeDecoder decoder, Func<string, Tensor, Tensor> change)
    {
        foreach (var (name, value) in decoder.ExportWeights())
            _weights[name] = change(name, value);
    }

    public IReadOnlyCollection<string> Names => _weights.Keys;

    public WeightHeader Describe(string name) => new(_weights[name].dtype, _weights[name].shape);

    public Tensor Read(string name) => _weights[name].clone();
}
