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

    private readonly Tensor _codes;  // (256) float32, ascending
    private readonly Tensor _limits; // (255) half way between them

    /// <summary>Codes for numbers with signs, or for such as are never negative.</summary>
    public DynamicQuantization(bool isSigned, Device device)
    {
        using var scope = NewDisposeScope();
        var codes = isSigned ? Signed() : Unsigned();
        _codes = tensor(codes, device: device).DetachFromDisposeScope();
        _limits = tensor(codes.Zip(codes.Skip(1), (a, b) => (float)((a + (double)b) / 2)).ToArray(), device: device).DetachFromDisposeScope();
    }

    /// <summary>Numbers of whole blocks, (n), float32.</summary>
    /// <param name="codes">(n) uint8.</param>
    /// <param name="scales">(n / 256) float32.</param>
    public Tensor Expand(Tensor codes, Tensor scales)
    {
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
