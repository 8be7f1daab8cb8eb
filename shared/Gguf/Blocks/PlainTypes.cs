using System.Buffers.Binary;

namespace Espalier.Gguf.Blocks;

/// <summary>IEEE single precision.</summary>
internal sealed class F32 : IBlockType
{
    public static readonly F32 Instance = new();

    public string Name => "f32";

    public string Summary => "32-bit floating point.";

    public uint Id => 0;

    public uint FileType => 0;

    public int BlockSize => 1;

    public int BlockBytes => 4;

    public void Encode(ReadOnlySpan<float> weights, Span<byte> block) => BinaryPrimitives.WriteSingleLittleEndian(block, weights[0]);

    public void Decode(ReadOnlySpan<byte> block, Span<float> weights) => weights[0] = BinaryPrimitives.ReadSingleLittleEndian(block);
}

/// <summary>IEEE half precision, rounded to nearest even.</summary>
internal sealed class F16 : IBlockType
{
    public static readonly F16 Instance = new();

    public string Name => "f16";

    public string Summary => "16-bit floating point with 10 bits of fraction.";

    public uint Id => 1;

    public uint FileType => 1;

    public int BlockSize => 1;

    public int BlockBytes => 2;

    public void Encode(ReadOnlySpan<float> weights, Span<byte> block) => BinaryPrimitives.WriteHalfLittleEndian(block, (Half)weights[0]);

    public void Decode(ReadOnlySpan<byte> block, Span<float> weights) => weights[0] = (float)BinaryPrimitives.ReadHalfLittleEndian(block);
}

/// <summary>The upper half of single precision, rounded to nearest even.</summary>
internal sealed class BF16 : IBlockType
{
    public static readonly BF16 Instance = new();

    public string Name => "bf16";

    public string Summary => "16-bit floating point with the range of 32 bits.";

    public uint Id => 30;

    public uint FileType => 32;

    public int BlockSize => 1;

    public int BlockBytes => 2;

    public void Encode(ReadOnlySpan<float> weights, Span<byte> block)
    {
        var bits = BitConverter.SingleToUInt32Bits(weights[0]);
        BinaryPrimitives.WriteUInt16LittleEndian(block, (ushort)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16));
    }

    public void Decode(ReadOnlySpan<byte> block, Span<float> weights) =>
        weights[0] = BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(block) << 16);
}
