using System.Collections.Frozen;
using System.Text;

namespace Espalier.Tokenizers;

/// <summary>
/// GPT-2's printable stand-ins for the 256 byte values: visible Latin-1 bytes stand for themselves, the other 68 are
/// U+0100, U+0101, ... in ascending order, so a space is U+0120 and a line feed U+010A.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = CreateCharacters();

    private static readonly FrozenDictionary<char, byte> Bytes =
        Characters.Select((character, value) => (character, (byte)value)).ToFrozenDictionary(p => p.character, p => p.Item2);

    /// <summary>All 256 stand-ins by code point, the order in which a trainer numbers them.</summary>
    public static IEnumerable<char> Sorted => Characters.Order();

    /// <summary>The stand-in for a byte.</summary>
    public static char ToCharacter(byte value) => Characters[value];

    /// <summary>The byte behind a stand-in.</summary>
    public static bool TryToByte(char character, out byte value) => Bytes.TryGetValue(character, out value);

    /// <summary>The bytes a token spells; a token with a character outside the alphabet spells its own UTF-8.</summary>
    public static byte[] ToBytes(string token)
    {
        var bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
        {
            if (!Bytes.TryGetValue(token[i], out bytes[i]))
                return Encoding.UTF8.GetBytes(token);
        }
        return bytes;
    }

    /// <summary>Bytes as a token.</summary>
    public static string Spell(byte[] bytes) => string.Create(bytes.Length, bytes, static (characters, source) =>
    {
        for (var i = 0; i < source.Length; i++)
            characters[i] = Characters[source[i]];
    });

    private static char[] CreateCharacters()
    {
        var characters = new char[256];
        var next = '\u0100';
        for (var value = 0; value < 256; value++)
            characters[value] = value is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)value : next++;
        return characters;
    }
}
