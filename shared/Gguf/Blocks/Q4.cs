using System.Buffers.Binary;

namespace Espalier.Gguf.Blocks;

/// <summary>
/// ggml's <c>Q4_0</c>: 32 weights in 18 bytes, a scale d in half precision and 32 codes q in [0, 15]; w = d (q - 8). The weight of largest
/// magnitude gets code 0, so that d has the other sign. Weight j and weight j + 16 share a byte.
/// </summary>
internal sealed class Q4 : IBlockType
{
    public static readonly Q4 Instance = new();

    public string Name => "q4_0";

    public string Summary => "4-bit codes, 32 to a scale; 4.5 bits a weight.";

    public uint Id => 2;

    public uint FileType => 2;

    public int BlockSize => 32;

    public int BlockBytes => 18;

    public void Encode(ReadOnlySpan<float> weights, Span<byte> block)
    {
        var largest = 0f;
        foreach (var weight in weights)
        {
            if (Math.Abs(weight) > Math.Abs(largest))
                largest = weight;
        }
        var scale = largest / -8;
        var inverse = scale == 0 ? 0 : 1 / scale;
        BinaryPrimitives.WriteHalfLittleEndian(block, (Half)scale);
        for (var i = 0; i < BlockSize / 2; i++)
            block[2 + i] = (byte)(Code(weights[i]) | Code(weights[i + 16]) << 4);

        int Code(float weight) => Math.Min(15, (int)(weight * inverse + 8.5f));
    }

    public void Decode(ReadOnlySpan<byte> block, Span<float> weights)
    {
        var scale = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
        for (var i = 0; i < BlockSize / 2; i++)
        {
            weights[i] = scale * ((block[2 + i] & 15) - 8);
            weights[i + 16] = scale * ((block[2 + i] >> 4) - 8);
        }
    }
}
