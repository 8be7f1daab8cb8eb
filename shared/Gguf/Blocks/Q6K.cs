using System.Buffers.Binary;

namespace Espalier.Gguf.Blocks;

/// <summary>
/// ggml's <c>Q6_K</c>: 256 weights in 210 bytes. Sixteen parts of 16 weights have a signed scale s of 8 bits, in units of d, which is in
/// half precision; w = d s (q - 32) with codes q in [0, 63], whose low four and high two bits lie apart.
/// </summary>
internal sealed class Q6K : IBlockType
{
    private const int Parts = 16, PartSize = 16, HighAt = 128, ScalesAt = 192, UnitAt = 208;

    public static readonly Q6K Instance = new();

    public string Name => "q6_k";

    public string Summary => "6-bit codes, 16 to a scale; 6.6 bits a weight.";

    public uint Id => 14;

    public uint FileType => 18;

    public int BlockSize => 256;

    public int BlockBytes => 210;

    public void Encode(ReadOnlySpan<float> weights, Span<byte> block)
    {
        Span<float> scales = stackalloc float[Parts];
        var largest = 0f;
        for (var part = 0; part < Parts; part++)
        {
            scales[part] = ScaleSearch.Signed(weights.Slice(part * PartSize, PartSize), halfRange: 32);
            if (Math.Abs(scales[part]) > Math.Abs(largest))
                largest = scales[part];
        }
        var unit = (Half)(largest / -128);
        BinaryPrimitives.WriteHalfLittleEndian(block[UnitAt..], unit);
        Span<int> codes = stackalloc int[BlockSize];
        for (var part = 0; part < Parts; part++)
        {
            var scale = unit == Half.Zero ? 0 : Math.Clamp((int)MathF.Round(scales[part] / (float)unit), -128, 127);
            block[ScalesAt + part] = (byte)(sbyte)scale;
            var step = (float)unit * scale;
            for (var i = part * PartSize; i < (part + 1) * PartSize; i++)
                codes[i] = step == 0 ? 32 : Math.Clamp((int)MathF.Round(weights[i] / step), -32, 31) + 32;
        }
        for (var half = 0; half < 2; half++)
        {
            var low = block.Slice(half * 64, 64);
            var high = block.Slice(HighAt + half * 32, 32);
            for (var i = 0; i < 32; i++)
            {
                var (a, b, c, d) = (codes[half * 128 + i], codes[half * 128 + i + 32], codes[half * 128 + i + 64], codes[half * 128 + i + 96]);
                low[i] = (byte)(a & 15 | (c & 15) << 4);
                low[i + 32] = (byte)(b & 15 | (d & 15) << 4);
                high[i] = (byte)(a >> 4 | b >> 4 << 2 | c >> 4 << 4 | d >> 4 << 6);
            }
        }
    }

    public void Decode(ReadOnlySpan<byte> block, Span<float> weights)
    {
        var unit = (float)BinaryPrimitives.ReadHalfLittleEndian(block[UnitAt..]);
        for (var i = 0; i < BlockSize; i++)
        {
            var (half, quarter, place) = (i / 128, i % 128 / 32, i % 32);
            var low = block[half * 64 + quarter % 2 * 32 + place] >> quarter / 2 * 4 & 15;
            var high = block[HighAt + half * 32 + place] >> quarter * 2 & 3;
            weights[i] = unit * (sbyte)block[ScalesAt + i / PartSize] * ((low | high << 4) - 32);
        }
    }
}
