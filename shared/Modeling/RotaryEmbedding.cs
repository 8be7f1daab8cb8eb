using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>
/// Rotary position embedding, halves split in the middle (RoFormer, arXiv 2104.09864, as Hugging Face lays it out):
/// out = x cos + rotate(x) sin, rotate([x1, x2]) = [-x2, x1], angle = position * theta^(-2j/D). Angles in float32,
/// cosine and sine rounded to the compute type. Tables are kept for the longest sequence seen. Stretched angles: see
/// <see cref="RopeScaling"/>.
/// </summary>
internal sealed class RotaryEmbedding(int headSize, double theta, RopeScaling? scaling) : IDisposable
{
    private Tensor? _cosine; // (S, D)
    private Tensor? _sine;   // (S, D), first half negated so that rotation is a plain swap of halves
    private long _stretched; // length that dynamic scaling made the tables for

    /// <summary>Rotates <paramref name="x"/> (..., S, D) by positions 0..S-1, or (B, n, S, D) by <paramref name="positions"/> (B, S), int64.</summary>
    public Tensor Apply(Tensor x, Tensor? positions = null)
    {
        var length = x.shape[^2];
        var (cosine, sine) = Tables(positions is null ? length : positions.max().item<long>() + 1, x.dtype, x.device);
        var halves = x.chunk(2, -1);
        var swapped = cat([halves[1], halves[0]], -1);
        return (x * Of(cosine)).addcmul(swapped, Of(sine), 1);

        Tensor Of(Tensor table) => positions is null
            ? table.narrow(0, 0, length)
            : table.index_select(0, positions.flatten()).view(positions.shape[0], 1, length, -1);
    }

    /// <summary>Tables (at least <paramref name="length"/>, D); the sine's first half is negated. They stay this object's own.</summary>
    public (Tensor Cosine, Tensor Sine) Tables(long length, ScalarType dtype, Device device)
    {
        var stretched = scaling is { Kind: RopeScalingKind.Dynamic } && length > scaling.OriginalPositions ? length : 0;
        if (stretched != _stretched || _cosine is null || _cosine.shape[0] < length || _cosine.dtype != dtype || _cosine.device_type != device.type)
            Build(length, dtype, device);
        _stretched = stretched;
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
        var frequencies = Frequencies(length);                                                    // (D/2)
        var angles = arange(length, dtype: float32).unsqueeze(1) * frequencies.unsqueeze(0);      // (S, D/2)
        var sine = angles.sin();
        var cosine = angles.cos();
        if (scaling is { AttentionFactor: not 1 })
            (cosine, sine) = (cosine * scaling.AttentionFactor, sine * scaling.AttentionFactor);
        _cosine = cat([cosine, cosine], -1).to(dtype).to(device).DetachFromDisposeScope();
        _sine = cat([sine.neg(), sine], -1).to(dtype).to(device).DetachFromDisposeScope();
    }

    private Tensor Frequencies(long length)
    {
        if (scaling is not null)
            return tensor(scaling.Frequencies(headSize, theta, length).Select(f => (float)f).ToArray());
        var exponents = arange(0, headSize, 2, dtype: float32) / headSize;
        return pow(tensor((float)theta), exponents.neg());
    }
}
