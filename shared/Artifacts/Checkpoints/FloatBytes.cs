using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Espalier.Contracts;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>
/// Floating-point tensors as raw little-endian bytes, so that surgery on names and rows needs no tensor engine.
/// Element types: F64, F32, F16, BF16.
/// </summary>
public static class FloatBytes
{
    /// <summary>Bytes per element.</summary>
    /// <exception cref="UserInputException">The element type is not a floating-point type that can be cut.</exception>
    public static int ElementSize(string dtype) => dtype switch
    {
        "F64" => 8,
        "F32" => 4,
        "F16" or "BF16" => 2,
        _ => throw new UserInputException($"Element type {dtype} cannot be read as numbers here; expected F64, F32, F16 or BF16."),
    };

    /// <summary>Element <paramref name="index"/> as a double.</summary>
    public static double At(string dtype, ReadOnlySpan<byte> bytes, int index) => dtype switch
    {
        "F64" => BinaryPrimitives.ReadDoubleLittleEndian(bytes[(index * 8)..]),
        "F32" => BinaryPrimitives.ReadSingleLittleEndian(bytes[(index * 4)..]),
        "F16" => (double)BinaryPrimitives.ReadHalfLittleEndian(bytes[(index * 2)..]),
        "BF16" => FromBFloat16(BinaryPrimitives.ReadUInt16LittleEndian(bytes[(index * 2)..])),
        _ => throw new UserInputException($"Element type {dtype} cannot be read as numbers here."),
    };

    /// <summary>All elements as floats; exact for F32, F16 and BF16.</summary>
    public static float[] ToFloats(string dtype, ReadOnlySpan<byte> bytes)
    {
        if (dtype == "F32")
            return MemoryMarshal.Cast<byte, float>(bytes).ToArray();
        var values = new float[bytes.Length / ElementSize(dtype)];
        for (var i = 0; i < values.Length; i++)
            values[i] = (float)At(dtype, bytes, i);
        return values;
    }

    /// <summary>Elements written in an element type, rounded to nearest even.</summary>
    public static byte[] FromFloats(string dtype, ReadOnlySpan<float> values)
    {
        var size = ElementSize(dtype);
        if (size == 4)
            return MemoryMarshal.AsBytes(values).ToArray();
        var bytes = new byte[values.Length * size];
        for (var i = 0; i < values.Length; i++)
        {
            var target = bytes.AsSpan(i * size);
            switch (dtype)
            {
                case "F64": BinaryPrimitives.WriteDoubleLittleEndian(target, values[i]); break;
                case "F16": BinaryPrimitives.WriteHalfLittleEndian(target, (Half)values[i]); break;
                default: BinaryPrimitives.WriteUInt16LittleEndian(target, ToBFloat16(values[i])); break;
            }
        }
        return bytes;
    }

    /// <summary>Sum of squares in double precision, in element order.</summary>
    /// <param name="name">Tensor name, for the message.</param>
    /// <param name="dtype">Element type.</param>
    /// <param name="bytes">The tensor.</param>
    /// <exception cref="UserInputException">An element is NaN or infinite.</exception>
    public static double SumOfSquares(string name, string dtype, ReadOnlySpan<byte> bytes)
    {
        var sum = 0.0;
        var count = bytes.Length / ElementSize(dtype);
        if (dtype == "F32")
            foreach (var value in MemoryMarshal.Cast<byte, float>(bytes))
                sum += (double)value * value;
        else
            for (var i = 0; i < count; i++)
            {
                var value = At(dtype, bytes, i);
                sum += value * value;
            }
        if (!double.IsFinite(sum))
            RequireFinite(name, dtype, bytes);
        return sum;
    }

    /// <summary>Refuses a tensor that holds a NaN or an infinity, naming it and the first such element.</summary>
    /// <exception cref="UserInputException">It does.</exception>
    public static void RequireFinite(string name, string dtype, ReadOnlySpan<byte> bytes)
    {
        if (FiniteCheck.FirstNotFinite(dtype, bytes) is >= 0 and var index)
            throw new UserInputException(
                $"Tensor '{name}' holds {At(dtype, bytes, (int)index)} at element {index}: the checkpoint is damaged. Use one saved before training diverged.");
    }

    private static float FromBFloat16(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    private static ushort ToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value)
            ? (ushort)((bits >> 16) | 0x40)
            : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
