using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Checkpoints;

/// <summary>
/// Integer weights in the compressed-tensors layout <c>pack-quantized</c>. A code q in [-2^(b-1), 2^(b-1)) is stored as
/// u = q + 2^(b-1); element i of a row takes bits i b .. i b + b - 1 of the row's bit stream, lowest bit first, in
/// little-endian 32-bit words. Weights are packed along their input, zero points along their output.
/// Dequantized: (q - zero point) * scale, one scale per output row and group of input columns.
/// </summary>
public static class PackedWeights
{
    /// <summary>Packs codes (rows, columns), int8, along the columns: int32 (rows, ceil(columns b / 32)).</summary>
    public static Tensor Pack(Tensor codes, int bits)
    {
        CheckBits(bits);
        var (rows, columns) = (codes.shape[0], codes.shape[1]);
        var (perWord, words) = (32 / bits, WordsPerRow(columns, bits));
        using var source = codes.to(int8).contiguous().cpu();
        var from = MemoryMarshal.Cast<byte, sbyte>(source.bytes);
        var packed = new int[rows * words];
        for (var row = 0L; row < rows; row++)
        {
            for (var column = 0L; column < columns; column++)
            {
                var code = (uint)(from[(int)(row * columns + column)] + (1 << (bits - 1)));
                packed[row * words + column / perWord] |= (int)(code << (int)(column % perWord * bits));
            }
        }
        return tensor(packed, [rows, words], dtype: int32);
    }

    /// <summary>The inverse of <see cref="Pack"/>: int8 codes (rows, <paramref name="columns"/>).</summary>
    public static Tensor Unpack(Tensor packed, long columns, int bits)
    {
        CheckBits(bits);
        var (rows, words, perWord) = (packed.shape[0], packed.shape[1], 32 / bits);
        using var source = packed.contiguous().cpu();
        var from = MemoryMarshal.Cast<byte, uint>(source.bytes);
        var codes = zeros([rows, columns], dtype: int8);
        var to = MemoryMarshal.Cast<byte, sbyte>(codes.bytes);
        for (var row = 0L; row < rows; row++)
        {
            for (var column = 0L; column < columns; column++)
            {
                var code = from[(int)(row * words + column / perWord)] >> (int)(column % perWord * bits) & ((1u << bits) - 1);
                to[(int)(row * columns + column)] = (sbyte)((int)code - (1 << (bits - 1)));
            }
        }
        return codes;
    }

    /// <summary>(q - zero point) * scale in the scale's type: (rows, columns).</summary>
    /// <param name="codes">int8 (rows, columns).</param>
    /// <param name="scale">(rows, groups), floating point.</param>
    /// <param name="zeroPoint">int8 (rows, groups), or null for symmetric codes.</param>
    /// <param name="groupSize">Columns per group; -1 for one group.</param>
    public static Tensor Dequantize(Tensor codes, Tensor scale, Tensor? zeroPoint, int groupSize)
    {
        using var scope = NewDisposeScope();
        var columns = codes.shape[1];
        var size = groupSize < 0 ? columns : groupSize;
        var values = codes.to(scale.dtype);
        if (zeroPoint is not null)
            values = values - Spread(zeroPoint.to(scale.dtype));
        return (values * Spread(scale)).MoveToOuterDisposeScope();

        Tensor Spread(Tensor perGroup) => perGroup.repeat_interleave(size, 1).narrow(1, 0, columns); // (rows, columns)
    }

    internal static long WordsPerRow(long columns, int bits) => (columns * bits + 31) / 32;

    private static void CheckBits(int bits)
    {
        if (bits is not (1 or 2 or 4 or 8))
            throw new ArgumentOutOfRangeException(nameof(bits), bits, "Weights are packed in 1, 2, 4 or 8 bits.");
    }
}
