using System.Buffers.Binary;
using System.Text;

namespace Espalier.Tokenizers;

/// <summary>One field of a Protocol Buffers message.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Value">A varint or fixed number; 0 for bytes.</param>
/// <param name="Bytes">Bytes, text or a message; empty for numbers.</param>
internal readonly record struct ProtocolField(int Number, ulong Value, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>As text.</summary>
    /// <exception cref="FormatException">It is not UTF-8.</exception>
    public string Text => System.Text.Unicode.Utf8.IsValid(Bytes.Span)
        ? Encoding.UTF8.GetString(Bytes.Span)
        : throw new FormatException($"field {Number} is not UTF-8");

    /// <summary>As a number of 32 bits.</summary>
    public float Single => BitConverter.UInt32BitsToSingle((uint)Value);
}

/// <summary>Reads the fields of a message in order.</summary>
internal static class ProtocolFields
{
    private const int LongestVarint = 10;

    /// <summary>The fields.</summary>
    /// <exception cref="FormatException">The message is cut or malformed.</exception>
    public static IEnumerable<ProtocolField> Of(ReadOnlyMemory<byte> message)
    {
        for (var at = 0; at < message.Length;)
        {
            var key = Varint(message.Span, ref at);
            var number = (int)Math.Min(key >> 3, int.MaxValue);
            if (number == 0)
                throw new FormatException($"a field at byte {at} has the number 0");
            yield return (key & 7) switch
            {
                0 => new ProtocolField(number, Varint(message.Span, ref at), default),
                1 => new ProtocolField(number, BinaryPrimitives.ReadUInt64LittleEndian(Take(message, ref at, 8).Span), default),
                2 => new ProtocolField(number, 0, Take(message, ref at, Varint(message.Span, ref at))),
                5 => new ProtocolField(number, BinaryPrimitives.ReadUInt32LittleEndian(Take(message, ref at, 4).Span), default),
                var wire => throw new FormatException($"a field at byte {at} has the wire type {wire}"),
            };
        }
    }

    private static ReadOnlyMemory<byte> Take(ReadOnlyMemory<byte> message, ref int at, ulong count)
    {
        if (count > (ulong)(message.Length - at))
            throw new FormatException($"{count} bytes are announced at byte {at}, and {message.Length - at} are left");
        var taken = message.Slice(at, (int)count);
        at += (int)count;
        return taken;
    }

    private static ulong Varint(ReadOnlySpan<byte> message, ref int at)
    {
        var value = 0UL;
        for (var i = 0; i < LongestVarint && at < message.Length; i++)
        {
            var next = message[at++];
            value |= (ulong)(next & 0x7F) << (7 * i);
            if (next < 0x80)
                return value;
        }
        throw new FormatException($"a number that ends at byte {at} is cut or too long");
    }
}
