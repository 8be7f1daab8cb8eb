using System.Buffers.Binary;
using System.Text;

namespace Espalier.Tokenizers;

/// <summary>
/// SentencePiece's map of character sequences to their normal form: a double-array trie (Darts, Yata 2007) over UTF-8 bytes whose values
/// point at texts that end in NUL. Checked whole when it is read, so that no lookup can leave it, here or in another library.
/// </summary>
internal sealed class CharacterMap
{
    private const int BlockUnits = 256; // the units that one byte can lead to
    private const int UnitBytes = 4;
    private const uint ValueMark = 1u << 31;

    private readonly uint[] _units;
    private readonly byte[] _texts;

    private CharacterMap(uint[] units, byte[] texts) => (_units, _texts) = (units, texts);

    /// <summary>No map: every character stays as it is.</summary>
    public static CharacterMap None { get; } = new([], []);

    /// <summary>Characters of the longest text that a sequence becomes.</summary>
    public int LongestReplacement { get; private init; } = 1;

    /// <summary>Reads <c>precompiled_charsmap</c>: 4 bytes size of the trie, the trie, the texts.</summary>
    /// <exception cref="FormatException">It leads out of itself; the sentence says how.</exception>
    public static CharacterMap Read(ReadOnlySpan<byte> map)
    {
        if (map.Length == 0)
            return None;
        var size = map.Length < UnitBytes ? uint.MaxValue : BinaryPrimitives.ReadUInt32LittleEndian(map);
        if (size > map.Length - UnitBytes || size % (UnitBytes * BlockUnits) != 0 || size == 0)
            throw new FormatException($"its trie is said to have {size} bytes of {map.Length}");
        var units = new uint[size / UnitBytes];
        for (var i = 0; i < units.Length; i++)
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(map[(UnitBytes + i * UnitBytes)..]);
        var texts = map[(UnitBytes + (int)size)..].ToArray();
        if (!System.Text.Unicode.Utf8.IsValid(texts))
            throw new FormatException("its texts are not UTF-8");
        var longest = 1;
        for (var i = 0u; i < units.Length; i++)
        {
            if ((units[i] & ValueMark) != 0)
                continue; // the value of another unit: no byte leads on from here
            var next = i ^ Offset(units[i]);
            if ((next | (BlockUnits - 1)) >= units.Length)
                throw new FormatException($"unit {i} of its trie leads out of it");
            if (HasValue(units[i]))
                longest = Math.Max(longest, CheckText(texts, units[next] & ~ValueMark));
        }
        return new CharacterMap(units, texts) { LongestReplacement = longest };
    }

    /// <summary>The longest sequence at the start of a text that the map knows.</summary>
    /// <param name="text">UTF-8.</param>
    /// <param name="replacement">What it becomes.</param>
    /// <returns>Its bytes; 0 for none.</returns>
    public int Find(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> replacement)
    {
        replacement = default;
        if (_units.Length == 0)
            return 0;
        var length = 0;
        var node = Offset(_units[0]);
        for (var i = 0; i < text.Length; i++)
        {
            node ^= text[i];
            var unit = _units[node];
            if ((unit & (ValueMark | 0xFF)) != text[i])
                break;
            node ^= Offset(unit);
            if (!HasValue(unit))
                continue;
            length = i + 1;
            replacement = TextAt((int)(_units[node] & ~ValueMark));
        }
        return length;
    }

    private ReadOnlySpan<byte> TextAt(int start)
    {
        var rest = _texts.AsSpan(start);
        var end = rest.IndexOf((byte)0);
        return end < 0 ? rest : rest[..end];
    }

    private static int CheckText(byte[] texts, uint start)
    {
        if (start >= texts.Length || (texts[start] & 0xC0) == 0x80)
            throw new FormatException($"a sequence becomes the text at {start}, where none begins");
        var rest = texts.AsSpan((int)start);
        var end = rest.IndexOf((byte)0);
        return Encoding.UTF8.GetCharCount(end < 0 ? rest : rest[..end]);
    }

    private static bool HasValue(uint unit) => (unit >> 8 & 1) == 1;

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & 1 << 9) >> 6);
}
