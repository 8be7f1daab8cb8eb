using Espalier.Modeling.Fused;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Eight bits a number, in blocks of 256 with a float32 scale each (Dettmers et al., arXiv 2110.02861): a number over its block's
/// largest is one of 256 codes, which lie closer the smaller they are: 2^i of them between 10^(i-7) and 10^(i-6), i = 0..6, and twice
/// as many without signs. Differences from the paper: the signed codes have -1, so that the largest of a block is kept whatever its
/// sign and numbers that were read from codes go back into the same codes; and the unsigned ones have 1e-7 in place of 0, since a
/// second moment of 0 beside a first that is none would make the update enormous (arXiv 2309.01507).
/// </summary>
internal sealed class DynamicQuantization : IDisposable
{
    /// <summary>Numbers that share a scale.</summary>
    public const int Block = 256;

    private const int Decades = 7;
    private const float LeastUnsigned = 1e-7f;

    private readonly float[] _values;      // of the codes, ascending
    private readonly float[] _between;     // half way from each to the next
    private readonly Tensor _codes;        // (256) the same on the device
    private readonly Tensor _limits;       // (255)

    /// <summary>Codes for numbers with signs, or for such as are never negative.</summary>
    public DynamicQuantization(bool isSigned, Device device)
    {
        _values = isSigned ? Signed() : Unsigned();
        _between = [.. _values.Zip(_values.Skip(1), (a, b) => (float)((a + (double)b) / 2))];
        _codes = tensor(_values, device: device).DetachFromDisposeScope();
        _limits = tensor(_between, device: device).DetachFromDisposeScope();
    }

    /// <summary>Whether the loop over memory may be used where the tensors are in main memory; off, its plain twin runs.</summary>
    /// <value>true</value>
    public bool UsesMemory { get; init; } = true;

    /// <summary>Numbers of whole blocks, (n), float32.</summary>
    /// <param name="codes">(n) uint8.</param>
    /// <param name="scales">(n / 256) float32.</param>
    public Tensor Expand(Tensor codes, Tensor scales)
    {
        if (IsInMemory(codes))
            return ExpandInMemory(codes, scales);
        using var scope = NewDisposeScope();
        var blocks = _codes.index_select(0, codes.to(int32)).view(-1, Block); // (n / 256, 256)
        return blocks.mul_(scales.unsqueeze(1)).view(-1).MoveToOuterDisposeScope();
    }

    /// <summary>Puts whole blocks of numbers into codes and scales.</summary>
    /// <param name="values">(n) float32.</param>
    /// <param name="codes">(n) uint8.</param>
    /// <param name="scales">(n / 256) float32.</param>
    public void Compress(Tensor values, Tensor codes, Tensor scales)
    {
        if (IsInMemory(codes))
        {
            CompressInMemory(values, codes, scales);
            return;
        }
        using var scope = NewDisposeScope();
        using Scalar least = float.Epsilon;
        var blocks = values.view(-1, Block);
        scales.copy_(blocks.abs().amax([1]));
        var shares = blocks / scales.clamp_min(least).unsqueeze(1);                   // (n / 256, 256) in -1..1
        codes.copy_(bucketize(shares.view(-1), _limits, true, false));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _codes.Dispose();
        _limits.Dispose();
    }

    private bool IsInMemory(Tensor codes) => UsesMemory && codes.device_type == DeviceType.CPU;

    private unsafe Tensor ExpandInMemory(Tensor codes, Tensor scales)
    {
        var result = empty(codes.numel(), dtype: float32);
        var (code, scale, value) = ((IntPtr)TensorMemory.Address<byte>(codes), (IntPtr)TensorMemory.Address<float>(scales),
            (IntPtr)TensorMemory.Address<float>(result));
        ForBlocks(scales.numel(), block =>
        {
            var from = new ReadOnlySpan<byte>((byte*)code + block * Block, Block);
            var to = new Span<float>((float*)value + block * Block, Block);
            for (var i = 0; i < Block; i++)
                to[i] = _values[from[i]] * ((float*)scale)[block];
        });
        return result;
    }

    private unsafe void CompressInMemory(Tensor values, Tensor codes, Tensor scales)
    {
        var (code, scale, value) = ((IntPtr)TensorMemory.Address<byte>(codes), (IntPtr)TensorMemory.Address<float>(scales),
            (IntPtr)TensorMemory.Address<float>(values));
        ForBlocks(scales.numel(), block =>
        {
            var from = new ReadOnlySpan<float>((float*)value + block * Block, Block);
            var to = new Span<byte>((byte*)code + block * Block, Block);
            var largest = 0f;
            foreach (var number in from)
                largest = Math.Max(largest, Math.Abs(number));
            ((float*)scale)[block] = largest;
            var divisor = Math.Max(largest, float.Epsilon);
            for (var i = 0; i < Block; i++)
                to[i] = CodeOf(from[i] / divisor);
        });
    }

    // How many limits lie below it: a binary search over 255.
    private byte CodeOf(float share)
    {
        var below = 0;
        for (var step = 128; step > 0; step /= 2)
            below += _between[below + step - 1] < share ? step : 0;
        return (byte)below;
    }

    private static void ForBlocks(long count, Action<long> work)
    {
        const long Together = 64;
        Parallel.For(0, (count + Together - 1) / Together, new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() }, piece =>
        {
            for (long block = piece * Together, end = Math.Min(count, block + Together); block < end; block++)
                work(block);
        });
    }

    private static float[] Signed()
    {
        float[] fractions = [.. Fractions(perDecade: 1)]; // 127, the last of which is 0.993
        return [-1, .. fractions.SkipLast(1).Reverse().Select(value => -value), 0, .. fractions, 1];
    }

    private static float[] Unsigned() => [LeastUnsigned, .. Fractions(perDecade: 2), 1];

    // The middles of equal parts of 0.1..1, in each decade twice as many as in the one below.
    private static IEnumerable<float> Fractions(int perDecade) =>
        from decade in Enumerable.Range(0, Decades)
        let parts = perDecade << decade
        from part in Enumerable.Range(0, parts)
        select (float)(Math.Pow(10, decade - Decades + 1) * (0.1 + 0.9 * (part + 0.5) / parts));
}
