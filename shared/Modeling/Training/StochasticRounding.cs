using Espalier.Modeling.Fused;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Rounds float32 to bfloat16 up or down at random, with the chances that make the mean right (arXiv 2010.06192): an update far
/// smaller than the distance between two bfloat16 numbers is not lost, but taken whole some of the time. With f the 16 bits that are
/// cut off, the larger in size is taken where r &lt; f; r is the lowest 16 bits of a hash of seed, step and element: a counter, so a
/// resumed run draws the same.
/// </summary>
public sealed class StochasticRounding(long seed)
{
    private const uint Spread = 2654435761, FirstMix = 0x7feb352d, SecondMix = 0x846ca68b; // a hash of 32 bits by C. Wellons
    private const long Low32 = uint.MaxValue;

    /// <summary>Whether the loop over memory may be used where the tensors are in main memory; off, its plain twin runs.</summary>
    /// <value>true</value>
    public bool UsesMemory { get; init; } = true;

    /// <summary>Rounds into a flat piece of the buffer.</summary>
    /// <param name="target">(n) bfloat16.</param>
    /// <param name="values">(n) float32.</param>
    /// <param name="step">Optimizer step.</param>
    /// <param name="first">Where the piece begins in the buffer.</param>
    public void Store(Tensor target, Tensor values, long step, long first)
    {
        var key = (uint)RandomStream.SeedOf(seed, FormattableString.Invariant($"rounding {step}"));
        if (UsesMemory && target.device_type == DeviceType.CPU)
            StoreInMemory(target, values, key, first);
        else
            StorePlain(target, values, key, first);
    }

    private static unsafe void StoreInMemory(Tensor target, Tensor values, uint key, long first)
    {
        var (to, from, count) = ((IntPtr)TensorMemory.Address<ushort>(target), (IntPtr)TensorMemory.Address<uint>(values), values.numel());
        const long Piece = 1 << 15;
        Parallel.For(0, (count + Piece - 1) / Piece, new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() }, piece =>
        {
            var rounded = (ushort*)to;
            var bits = (uint*)from;
            for (long i = piece * Piece, end = Math.Min(count, i + Piece); i < end; i++)
            {
                var x = (uint)(first + i) * Spread + key;
                x = (x ^ (x >> 16)) * FirstMix;
                x = (x ^ (x >> 15)) * SecondMix;
                x ^= x >> 16;
                rounded[i] = (ushort)((bits[i] >> 16) + ((x & 0xFFFF) < (bits[i] & 0xFFFF) ? 1u : 0));
            }
        });
    }

    /// <summary>
    /// The same as tensor operations. h is the nearest bfloat16, d = w - h; the other neighbour lies on d's side, and 1.25 half distances
    /// from h round to it, whether the distance changes there or not. It is taken where u &lt; d / (other - h).
    /// </summary>
    private static void StorePlain(Tensor target, Tensor values, uint key, long first)
    {
        using var scope = NewDisposeScope();
        using Scalar zero = 0, towards = 1.25 / 256, unit = 1.0 / 65536, most = 65535, minus = -1;
        var r = Random(values, key, first);
        var nearest = values.to(bfloat16).to(float32);
        var rest = values - nearest;
        var other = (nearest + nearest.abs().mul_(towards).mul_(rest.sign())).to(bfloat16).to(float32);
        // Rounded up in size, r counts from the other end.
        var isUp = (rest.sign() * nearest.sign()).lt(zero);
        var u = where(isUp, r.mul(minus).add_(most), r).mul_(unit);
        target.copy_(where(u.lt(rest / (other - nearest)), other, nearest));
    }

    private static Tensor Random(Tensor values, uint key, long first)
    {
        using Scalar spread = (long)Spread, mixOne = (long)FirstMix, mixTwo = (long)SecondMix, start = (long)key;
        using Tensor low = tensor(Low32, device: values.device), half = tensor(0xFFFFL, device: values.device);
        using Tensor by16 = tensor(16L, device: values.device), by15 = tensor(15L, device: values.device);
        var x = arange(first, first + values.numel(), dtype: int64, device: values.device).mul_(spread).add_(start).bitwise_and_(low);
        x = x.bitwise_xor(x.bitwise_right_shift(by16)).mul_(mixOne).bitwise_and_(low);
        x = x.bitwise_xor(x.bitwise_right_shift(by15)).mul_(mixTwo).bitwise_and_(low);
        return x.bitwise_xor(x.bitwise_right_shift(by16)).bitwise_and_(half).to(float32);
    }
}
