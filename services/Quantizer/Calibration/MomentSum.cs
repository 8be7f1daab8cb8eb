using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Calibration;

/// <summary>sum_t x_t x_t^T in float64, and how many x there were.</summary>
internal sealed class MomentSum : IDisposable
{
    private Tensor? _sum; // (in, in)
    private long _tokens;

    /// <summary>Adds inputs (n, in).</summary>
    public void Add(Tensor inputs)
    {
        using var scope = NewDisposeScope();
        var x = inputs.to(float32);
        var products = x.transpose(0, 1).matmul(x).to(float64);
        _sum ??= zeros_like(products).DetachFromDisposeScope();
        _sum.add_(products);
        _tokens += x.shape[0];
    }

    /// <summary>H = (2 / n) sum, in the caller's dispose scope; null when nothing was added.</summary>
    public InputMoments? ToMoments(long calibrationTokens) =>
        _sum is null ? null : new InputMoments(_sum * (2.0 / _tokens), _tokens, calibrationTokens);

    /// <inheritdoc/>
    public void Dispose() => _sum?.Dispose();
}
