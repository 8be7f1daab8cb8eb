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

    /// <summary>Name of the packed tensor of a weight: <c>x.weight</c> becomes <c>x.weight_packed</c>.</summary>
    public static string PackedName(string weight) => weight + "_packed";

    /// <summary>Name of its scales.</summary>
    public static string ScaleName(string weight) => weight + "_scale";

    /// <summary>Name of its stored shape.</summary>
    public static string ShapeName(string weight) => weight + "_shape";

    /// <summary>Name of its zero points; only for asymmetric codes.</summary>
    public static string ZeroPointName(string weight) => weight + "_zero_point";

    /// <summary>The tensors that stand for one weight.</summary>
    public static IReadOnlyList<string> NamesOf(string weight, WeightQuantization quantization) =>
        quantization.Symmetric
            ? [PackedName(weight), ScaleName(weight), ShapeName(weight)]
            : [PackedName(weight), ScaleName(weight), ShapeName(weight), ZeroPointName(weight)];

    internal static IEnumerable<string> Check(IWeightSource source, HashSet<string> names, string weight, long[] shape, WeightQuantization quantization)
    {
        var groups = quantization.GroupSize < 0 ? 1 : (shape[1] + quantization.GroupSize - 1) / quantization.GroupSize;
        var expected = new List<(string Name, long[] Shape)>
        {
            (PackedName(weight), [shape[0], WordsPerRow(shape[1], quantization.Bits)]),
            (ScaleName(weight), [shape[0], groups]),
            (ShapeName(weight), [2]),
        };
        if (!quantization.Symmetric)
            expected.Add((ZeroPointName(weight), [WordsPerRow(shape[0], quantization.Bits), groups]));
        foreach (var (name, extents) in expected)
        {
            if (!names.Contains(name))
                yield return $"tensor '{name}' is missing";
            else if (!source.Describe(name).Shape.SequenceEqual(extents))
                yield return $"tensor '{name}' has shape [{string.Join(", ", source.Describe(name).Shape)}]; config.json calls for [{string.Join(", ", extents)}]";
            else if (name == PackedName(weight) && source.Describe(name).Type != ScalarType.Int32)
                yield return $"tensor '{name}' has element type {source.Describe(name).Type}; expected Int32";
        }
    }

    internal static Tensor Read(IWeightSource source, string weight, WeightQuantization quantization)
    {
        using var scope = NewDisposeScope();
        var stored = source.Read(ShapeName(weight)).to(int64).data<long>().ToArray();
        var packed = source.Read(PackedName(weight));
        if (stored[0] != packed.shape[0] || WordsPerRow(stored[1], quantization.Bits) != packed.shape[1])
            throw new InvalidModelException($"tensor '{ShapeName(weight)}' says [{stored[0]}, {stored[1]}], which does not fit the packed words [{packed.shape[0]}, {packed.shape[1]}].");
        var zeroPoint = quantization.Symmetric
            ? null
            : Unpack(source.Read(ZeroPointName(weight)).transpose(0, 1), stored[0], quantization.Bits).transpose(0, 1);
        var codes = Unpack(packed, stored[1], quantization.Bits);
        return Dequantize(codes, source.Read(ScaleName(weight)), zeroPoint, quantization.GroupSize).MoveToOuterDisposeScope();
    }

    private static long WordsPerRow(long columns, int bits) => (columns * bits + 31) / 32;

    private static void CheckBits(int bits)
    {
        if (bits is not (1 or 2 or 4 or 8))
            throw new ArgumentOutOfRangeException(nameof(bits), bits, "Weights are packed in 1, 2, 4 or 8 bits.");
    }
}
