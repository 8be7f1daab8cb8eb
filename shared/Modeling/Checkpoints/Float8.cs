using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Checkpoints;

/// <summary>
/// Numbers of eight bits with four of exponent and three of mantissa, E4M3FN (arXiv 2209.05433): bias 7, largest 448, least normal 2^-6, least
/// 2^-9, no infinity, NaN where all bits but the sign are set. safetensors calls them <c>F8_E4M3</c>; tensors of them are bytes here.
/// </summary>
public static class Float8
{
    /// <summary>The largest number.</summary>
    public const float Largest = 448;

    /// <summary>Name of the element type in safetensors files.</summary>
    public const string TypeName = "F8_E4M3";

    private const byte NotANumber = 0x7F, LargestCode = 0x7E, Sign = 0x80;

    private static readonly float[] Values = [.. Enumerable.Range(0, 256).Select(code => ValueOf((byte)code))];

    /// <summary>The nearest codes, ties to even, larger numbers to ±448: uint8 of the same shape, on the CPU.</summary>
    public static Tensor Encode(Tensor values)
    {
        using var source = values.to(float32).contiguous().cpu();
        var from = MemoryMarshal.Cast<byte, uint>(source.bytes);
        var codes = zeros(values.shape, dtype: uint8);
        var to = codes.bytes;
        for (var i = 0; i < from.Length; i++)
            to[i] = CodeOf(from[i]);
        return codes;
    }

    /// <summary>The numbers that codes (uint8) stand for: float32 of the same shape, on the CPU.</summary>
    public static Tensor Decode(Tensor codes)
    {
        using var source = codes.contiguous().cpu();
        var from = source.bytes;
        var values = zeros(codes.shape, dtype: float32);
        var to = MemoryMarshal.Cast<byte, float>(values.bytes);
        for (var i = 0; i < from.Length; i++)
            to[i] = Values[from[i]];
        return values;
    }

    private static byte CodeOf(uint bits)
    {
        var (sign, magnitude) = ((byte)(bits >> 24 & Sign), bits & 0x7FFF_FFFF);
        if (magnitude > 0x7F80_0000)
            return (byte)(sign | NotANumber);
        if (magnitude < 0x3C80_0000) // below 2^-6: multiples of 2^-9; eight of them are the least normal number, whose code is 8
            return (byte)(sign | (byte)MathF.Round(BitConverter.UInt32BitsToSingle(magnitude) * 512, MidpointRounding.ToEven));
        var rounded = magnitude + 0x7FFFF + (magnitude >> 20 & 1);
        return (byte)(sign | Math.Min((rounded >> 20) - (120 << 3), LargestCode));
    }

    private static float ValueOf(byte code)
    {
        var (exponent, mantissa) = (code >> 3 & 15, code & 7);
        var magnitude = (code & NotANumber) == NotANumber ? BitConverter.UInt32BitsToSingle(0x7FC0_0000) // float.NaN has the sign bit
            : exponent == 0 ? mantissa / 512f : MathF.ScaleB(1 + mantissa / 8f, exponent - 7);
        return (code & Sign) == 0 ? magnitude : -magnitude;
    }
}
