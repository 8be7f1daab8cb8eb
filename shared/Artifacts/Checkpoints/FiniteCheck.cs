using System.Numerics;
using System.Runtime.InteropServices;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>Looks for NaN and infinity in raw floating-point bytes: every exponent bit set.</summary>
public static class FiniteCheck
{
    /// <summary>Index of the first element that is not finite, or -1. Types without such values are always finite.</summary>
    public static long FirstNotFinite(string dtype, ReadOnlySpan<byte> bytes) => dtype switch
    {
        "F64" => FirstWithAll<ulong>(bytes, 0x7FF0_0000_0000_0000),
        "F32" => FirstWithAll<uint>(bytes, 0x7F80_0000),
        "C64" => FirstWithAll<uint>(bytes, 0x7F80_0000) is >= 0 and var half ? half / 2 : -1,
        "BF16" => FirstWithAll<ushort>(bytes, 0x7F80),
        "F16" => FirstWithAll<ushort>(bytes, 0x7C00),
        "F8_E5M2" => FirstWithAll<byte>(bytes, 0x7C),
        "F8_E4M3" => FirstWithAll<byte>(bytes, 0x7F),
        _ => -1,
    };

    private static long FirstWithAll<T>(ReadOnlySpan<byte> bytes, T mask) where T : unmanaged, IBinaryInteger<T>
    {
        var values = MemoryMarshal.Cast<byte, T>(bytes);
        var wide = new Vector<T>(mask);
        var start = 0;
        while (start <= values.Length - Vector<T>.Count && !Vector.EqualsAny(new Vector<T>(values[start..]) & wide, wide))
            start += Vector<T>.Count;
        for (var i = start; i < values.Length; i++)
            if ((values[i] & mask) == mask)
                return i;
        return -1;
    }
}
