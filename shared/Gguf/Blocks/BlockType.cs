using Espalier.Contracts;

namespace Espalier.Gguf.Blocks;

/// <summary>Every block type, by name.</summary>
public static class BlockType
{
    /// <summary>All of them, from the largest to the smallest.</summary>
    public static IReadOnlyList<IBlockType> All { get; } = [F32.Instance, BF16.Instance, F16.Instance, Q8.Instance, Q6K.Instance, Q4K.Instance, Q4.Instance];

    /// <summary>The type of a name.</summary>
    /// <exception cref="UserInputException">There is none.</exception>
    public static IBlockType Of(string name) => All.FirstOrDefault(t => t.Name == name)
        ?? throw new UserInputException($"There is no type '{name}' of GGUF files here: {NearestWord.Hint(name, [.. All.Select(t => t.Name)])}");

    /// <summary>The type of a number.</summary>
    /// <exception cref="InvalidGgufException">There is none.</exception>
    public static IBlockType Of(uint id) => All.FirstOrDefault(t => t.Id == id)
        ?? throw new InvalidGgufException($"block type {id} is not read; known: {string.Join(", ", All.Select(t => $"{t.Id} ({t.Name})"))}");

    /// <summary>Whether rows of a width can be cut into whole blocks.</summary>
    public static bool Fits(this IBlockType type, long columns) => columns % type.BlockSize == 0;

    /// <summary>Bytes of some weights, in whole blocks.</summary>
    public static long SizeOf(this IBlockType type, long weights) => weights / type.BlockSize * type.BlockBytes;

    /// <summary>Stores whole blocks, on every processor.</summary>
    public static unsafe void EncodeAll(this IBlockType type, ReadOnlySpan<float> weights, Span<byte> bytes)
    {
        const int Part = 256;
        var blocks = weights.Length / type.BlockSize;
        if (bytes.Length != blocks * type.BlockBytes)
            throw new ArgumentException($"{weights.Length} weights take {blocks * type.BlockBytes} bytes, not {bytes.Length}.", nameof(bytes));
        fixed (float* from = weights)
        fixed (byte* to = bytes)
        {
            var (source, target) = ((nint)from, (nint)to);
            Parallel.For(0, (blocks + Part - 1) / Part, part =>
            {
                for (var block = part * Part; block < Math.Min(blocks, (part + 1) * Part); block++)
                {
                    type.Encode(
                        new ReadOnlySpan<float>((float*)source + (long)block * type.BlockSize, type.BlockSize),
                        new Span<byte>((byte*)target + (long)block * type.BlockBytes, type.BlockBytes));
                }
            });
        }
    }

    /// <summary>Reads whole blocks.</summary>
    public static void DecodeAll(this IBlockType type, ReadOnlySpan<byte> bytes, Span<float> weights)
    {
        for (int block = 0, at = 0; at < bytes.Length; block++, at += type.BlockBytes)
            type.Decode(bytes.Slice(at, type.BlockBytes), weights.Slice(block * type.BlockSize, type.BlockSize));
    }
}
