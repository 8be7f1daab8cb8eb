using System.Buffers.Binary;

namespace Espalier.Gguf.Blocks;

/// <summary>
/// ggml's <c>Q4_K</c>: 256 weights in 144 bytes. Eight parts of 32 weights have a scale s and an offset m of 6 bits each, in units of d
/// and e, which are in half precision; w = d s q - e m with codes q in [0, 15].
/// </summary>
internal sealed class Q4K : IBlockType
{
    private const int Parts = 8, PartSize = 32, ScalesAt = 4, CodesAt = 16;

    public static readonly Q4K Instance = new();

    public string Name => "q4_k";

    public string Summary => "4-bit codes with scales and offsets, 32 to a pair; 4.5 bits a weight.";

    public uint Id => 12;

    public uint FileType => 14;

    public int BlockSize => 256;

    public int BlockBytes => 144;

    public void Encode(ReadOnlySpan<float> weights, Span<byte> block)
    {
        Span<float> scales = stackalloc float[Parts], offsets = stackalloc float[Parts];
        for (var part = 0; part < Parts; part++)
            (scales[part], offsets[part]) = ScaleSearch.WithOffset(weights.Slice(part * PartSize, PartSize), largestCode: 15);
        var (unit, offsetUnit) = ((Half)(Largest(scales) / 63), (Half)(Largest(offsets) / 63));
        BinaryPrimitives.WriteHalfLittleEndian(block, unit);
        BinaryPrimitives.WriteHalfLittleEndian(block[2..], offsetUnit);
        block[ScalesAt..].Clear();
        Span<byte> codes = stackalloc byte[BlockSize];
        for (var part = 0; part < Parts; part++)
        {
            var (scale, offset) = (Six(scales[part], (float)unit), Six(offsets[part], (float)offsetUnit));
            Put(block[ScalesAt..], part, scale, offset);
            var (step, zero) = ((float)unit * scale, (float)offsetUnit * offset);
            for (var i = part * PartSize; i < (part + 1) * PartSize; i++)
                codes[i] = step == 0 ? (byte)0 : (byte)Math.Clamp((int)MathF.Round((weights[i] + zero) / step), 0, 15);
        }
        for (var pair = 0; pair < Parts / 2; pair++)
        {
            for (var i = 0; i < PartSize; i++)
                block[CodesAt + pair * PartSize + i] = (byte)(codes[pair * 2 * PartSize + i] | codes[(pair * 2 + 1) * PartSize + i] << 4);
        }
    }

    public void Decode(ReadOnlySpan<byte> block, Span<float> weights)
    {
        var (unit, offsetUnit) = ((float)BinaryPrimitives.ReadHalfLittleEndian(block), (float)BinaryPrimitives.ReadHalfLittleEndian(block[2..]));
        for (var part = 0; part < Parts; part++)
        {
            var (scale, offset) = Get(block[ScalesAt..], part);
            var (step, zero) = (unit * scale, offsetUnit * offset);
            for (var i = 0; i < PartSize; i++)
                weights[part * PartSize + i] = step * (block[CodesAt + part / 2 * PartSize + i] >> part % 2 * 4 & 15) - zero;
        }
    }

    // Twelve bytes: the scales of parts 0 to 3, their offsets, then the low bits of the others; the high bits of those fill the first eight bytes.
    private static void Put(Span<byte> bytes, int part, int scale, int offset)
    {
        if (part < 4)
        {
            bytes[part] |= (byte)scale;
            bytes[part + 4] |= (byte)offset;
            return;
        }
        bytes[part + 4] = (byte)(scale & 15 | (offset & 15) << 4);
        bytes[part - 4] |= (byte)(scale >> 4 << 6);
        bytes[part] |= (byte)(offset >> 4 << 6);
    }

    private static (int Scale, int Offset) Get(ReadOnlySpan<byte> bytes, int part) => part < 4
        ? (bytes[part] & 63, bytes[part + 4] & 63)
        : (bytes[part + 4] & 15 | bytes[part - 4] >> 6 << 4, bytes[part + 4] >> 4 | bytes[part] >> 6 << 4);

    private static int Six(float value, float unit) => unit == 0 ? 0 : Math.Clamp((int)MathF.Round(value / unit), 0, 63);

    private static float Largest(ReadOnlySpan<float> values)
    {
        var largest = 0f;
        foreach (var value in values)
            largest = Math.Max(largest, value);
        return largest;
    }
}
