using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Calibration;

/// <summary>sum_t x_t x_t^T in float64, with sum |x_t| and max |x_t|, and how many x there were.</summary>
internal sealed class MomentSum : IDisposable
{
    private Tensor? _sum; // (in, in)
    private Tensor? _magnitudes; // (in)
    private Tensor? _peaks; // (in)
    private long _tokens;

    /// <summary>Adds inputs (n, in).</summary>
    public void Add(Tensor inputs)
    {
        using var scope = NewDisposeScope();
        var x = inputs.to(float32);
        var products = x.transpose(0, 1).matmul(x).to(float64);
        _sum ??= zeros_like(products).DetachFromDisposeScope();
        _sum.add_(products);
        AddMagnitudes(x);
        _tokens += x.shape[0];
    }

    /// <summary>H = (2 / n) sum, in the caller's dispose scope; null when nothing was added.</summary>
    public InputMoments? ToMoments(long calibrationTokens) =>
        _sum is null ? null : new InputMoments(_sum * (2.0 / _tokens), _tokens, calibrationTokens);

    /// <summary>Adds inputs (n, in) to the magnitudes alone.</summary>
    public void AddMagnitudesOnly(Tensor inputs)
    {
        using var scope = NewDisposeScope();
        AddMagnitudes(inputs.to(float32));
        _tokens += inputs.shape[0];
    }

    /// <summary>mean |x| and max |x| (in), float32 on the CPU, in the caller's dispose scope; null when nothing was added.</summary>
    public (Tensor Mean, Tensor Peak)? Magnitudes()
    {
        if (_magnitudes is null || _tokens == 0)
            return null;
        using var scope = NewDisposeScope();
        return ((_magnitudes / _tokens).to(float32).cpu().MoveToOuterDisposeScope(), _peaks!.to(float32).cpu().clone().MoveToOuterDisposeScope());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _sum?.Dispose();
        _magnitudes?.Dispose();
        _peaks?.Dispose();
    }

    private void AddMagnitudes(Tensor x)
    {
        if (x.shape[0] == 0)
            return;
        var magnitudes = x.abs();
        var (sum, peaks) = (magnitudes.to(float64).sum([0L]), magnitudes.amax([0L]));
        _magnitudes ??= zeros_like(sum).DetachFromDisposeScope();
        _peaks ??= zeros_like(peaks).DetachFromDisposeScope();
        _magnitudes.add_(sum);
        using var larger = maximum(_peaks, peaks);
        _peaks.copy_(larger);
    }
}
