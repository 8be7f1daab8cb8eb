using Espalier.Modeling;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Mixing;

/// <summary>Other values for some weights of a decoder, that change places with its own.</summary>
internal sealed class ReplacedWeights(MoeDecoder decoder) : IDisposable
{
    private readonly Dictionary<string, Tensor> _others = new(StringComparer.Ordinal);

    /// <summary>Adds the other values of one weight; they are copied.</summary>
    public void Add(string name, Tensor other) => _others.Add(name, other.to(decoder.Device).clone().DetachFromDisposeScope());

    /// <summary>Puts the other values into the decoder, or its own back.</summary>
    public void Swap()
    {
        using var untracked = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (name, own) in decoder.ExportWeights())
        {
            if (!_others.TryGetValue(name, out var other))
                continue;
            var kept = own.clone();
            own.copy_(other);
            other.copy_(kept);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var other in _others.Values)
            other.Dispose();
    }
}
