using System.Diagnostics.CodeAnalysis;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>The element types of the safetensors format: bits per element, and the order in which a file lays its tensors out.</summary>
public static class TensorTypes
{
    /// <summary>Highest number of extents that a tensor may have.</summary>
    public const int MaxRank = 64;

    // Declaration order of the format; writers lay out from the last to the first.
    private static readonly (string Name, int Bits)[] Table =
    [
        ("BOOL", 8), ("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6), ("U8", 8), ("I8", 8), ("F8_E5M2", 8), ("F8_E4M3", 8), ("F8_E8M0", 8),
        ("F8_E4M3FNUZ", 8), ("F8_E5M2FNUZ", 8), ("I16", 16), ("U16", 16), ("F16", 16), ("BF16", 16), ("I32", 32), ("U32", 32), ("F32", 32),
        ("C64", 64), ("F64", 64), ("I64", 64), ("U64", 64),
    ];

    private static readonly Dictionary<string, (int Bits, int Order)> ByName =
        Table.Select((t, i) => (t.Name, t.Bits, Order: i)).ToDictionary(t => t.Name, t => (t.Bits, t.Order), StringComparer.Ordinal);

    /// <summary>Every name, in declaration order.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Table.Select(t => t.Name)];

    /// <summary>Whether a name is an element type of the format.</summary>
    public static bool IsKnown(string name) => ByName.ContainsKey(name);

    /// <summary>Position in declaration order.</summary>
    internal static int OrderOf(string name) => ByName[name].Order;

    /// <summary>Bytes of a tensor.</summary>
    /// <exception cref="ArgumentException">The type or the shape cannot be.</exception>
    public static long CountBytes(string dtype, IReadOnlyList<long> shape) =>
        TryCountBytes(dtype, shape, out var bytes, out var problem) ? bytes : throw new ArgumentException(problem);

    /// <summary>Bytes of a tensor, with every step checked for overflow; a text about what is wrong otherwise.</summary>
    public static bool TryCountBytes(string dtype, IReadOnlyList<long> shape, out long bytes, [NotNullWhen(false)] out string? problem)
    {
        bytes = 0;
        problem = null;
        if (!ByName.TryGetValue(dtype, out var type))
            problem = $"unknown element type '{dtype}'; known are {string.Join(", ", Names)}";
        else if (shape.Count > MaxRank)
            problem = $"{shape.Count} extents; at most {MaxRank} are allowed";
        else if (HasNegative(shape))
            problem = $"negative extent in shape [{string.Join(", ", shape)}]";
        if (problem is not null)
            return false;
        try
        {
            var bits = 1L;
            for (var i = 0; i < shape.Count; i++)
                bits = checked(bits * shape[i]);
            bits = checked(bits * type.Bits);
            if (bits % 8 != 0)
            {
                problem = $"{bits} bits in all, which is not a whole number of bytes";
                return false;
            }
            bytes = bits / 8;
            return true;
        }
        catch (OverflowException)
        {
            problem = $"the size of shape [{string.Join(", ", shape)}] overflows";
            return false;
        }
    }

    private static bool HasNegative(IReadOnlyList<long> shape)
    {
        for (var i = 0; i < shape.Count; i++)
            if (shape[i] < 0)
                return true;
        return false;
    }
}
