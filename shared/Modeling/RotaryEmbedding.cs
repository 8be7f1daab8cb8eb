using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>
/// Rotary position embedding, halves split in the middle (RoFormer, arXiv 2104.09864, as Hugging Face lays it out):
/// out = x cos + rotate(x) sin, rotate([x1, x2]) = [-x2, x1], angle = position * theta^(-2j/D). Angles in float32,
/// cosine and sine rounded to the compute type. Tables are kept for the longest sequence seen.
/// </summary>
internal sealed class RotaryEmbedding(int headSize, double theta) : IDisposable
{
    private Tensor? _cosine; // (S, D)
    private Tensor? _sine;   // (S, D), first half negated so that rotation is a plain swap of halves

    /// <summary>Rotates <paramref name="x"/> (..., S, D) by positions 0..S-1.</summary>
    public Tensor Apply(Tensor x)
    {
        var length = x.shape[^2];
        var (cosine, sine) = Tables(length, x.dtype, x.device);
        var halves = x.chunk(2, -1);
        var swapped = cat([halves[1], halves[0]], -1);
        return (x * cosine.narrow(0, 0, length)).addcmul(swapped, sine.narrow(0, 0, length), 1);
    }

    /// <summary>Tables (at least <paramref name="length"/>, D); the sine's first half is negated. They stay this object's own.</summary>
    public (Tensor Cosine, Tensor Sine) Tables(long length, ScalarType dtype, Device device)
    {
        if (_cosine is null || _cosine.shape[0] < length || _cosine.dtype != dtype || _cosine.device_type != device.type)
            Build(length, dtype, device);
        return (_cosine!, _sine!);
    }

    public void Dispose()
    {
        _cosine?.Dispose();
        _sine?.Dispose();
    }

    private void Build(long length, ScalarType dtype, Device device)
    {
        Dispose();
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var exponents = arange(0, headSize, 2, dtype: float32) / headSize;                        // (D/2)
        var frequencies = pow(tensor((float)theta), exponents.neg());                             // (D/2)
        var angles = arange(length, dtype: float32).unsqueeze(1) * frequencies.unsqueeze(0);      // (S, D/2)
        var sine = angles.sin();
        _cosine = cat([angles.cos(), angles.cos()], -1).to(dtype).to(device).DetachFromDisposeScope();
        _sine = cat([sine.neg(), sine], -1).to(dtype).to(device).DetachFromDisposeScope();
    }
}
