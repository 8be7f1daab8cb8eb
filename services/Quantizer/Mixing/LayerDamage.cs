using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Mixing;

/// <summary>sum |y' - y|^2 / sum |y|^2 over tokens, y being the stream behind a layer and y' the same with other values for some of its weights.</summary>
/// <param name="decoder">The layer.</param>
/// <param name="others">The other values.</param>
internal sealed class LayerDamage(MoeDecoder decoder, ReplacedWeights others)
{
    private double _change;
    private double _size;

    /// <summary>The quotient so far; 0 without tokens.</summary>
    public double Value => _size == 0 ? 0 : _change / _size;

    /// <summary>Runs the layer on a batch (B, S, H) with its own weights and with the others, and leaves it with its own.</summary>
    public void Add(Tensor batch)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var own = decoder.RunLayer(0, batch).to(float64);
        others.Swap();
        var other = decoder.RunLayer(0, batch).to(float64);
        others.Swap();
        _change += (other - own).square().sum().item<double>();
        _size += own.square().sum().item<double>();
    }
}
