using System.Buffers.Binary;

namespace Espalier.Gguf.Blocks;

/// <summary>ggml's <c>Q8_0</c>: 32 weights in 34 bytes, a scale d in half precision and 32 codes q in [-127, 127]; w = d q.</summary>
internal sealed class Q8 : IBlockType
{
    public static readonly Q8 Instance = new();

    public string Name => "q8_0";

    public string Summary => "8-bit codes, 32 to a scale; 8.5 bits a weight.";

    public uint Id => 8;

    public uint FileType => 7;

    public int BlockSize => 32;

    public int BlockBytes => 34;

    public void Encode(ReadOnlySpan<float> weights, Span<byte> block)
    {
        var largest = 0f;
        foreach (var weight in weights)
            largest = Math.Max(largest, Math.Abs(weight));
        var scale = largest / 127;
        var inverse = scale == 0 ? 0 : 1 / scale;
        BinaryPrimitives.WriteHalfLittleEndian(block, (Half)scale);
        for (var i = 0; i < BlockSize; i++)
            block[2 + i] = (byte)(sbyte)MathF.Round(weights[i] * inverse, MidpointRounding.AwayFromZero);
    }

    public void Decode(ReadOnlySpan<byte> block, Span<float> weights)
    {
        var scale = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
        for (var i = 0; i < BlockSize; i++)
            weights[i] = scale * (sbyte)block[2 + i];
    }
}
