using System.Buffers;
using Espalier.Contracts;

namespace Espalier.Registry;

/// <summary>Text that UTF-8 can write and both databases can hold: whole surrogate pairs, and no NUL, which PostgreSQL refuses.</summary>
internal static class StorableText
{
    private static readonly SearchValues<char> Suspects = SearchValues.Create(['\0', .. Enumerable.Range(0xD800, 0x800).Select(c => (char)c)]);

    /// <summary>What a text holds that cannot be stored, or null.</summary>
    public static string? FaultOf(string text)
    {
        var rest = text.AsSpan();
        while (rest.IndexOfAny(Suspects) is var at and >= 0)
        {
            if (rest[at] == '\0')
                return "a NUL character (U+0000)";
            if (!char.IsHighSurrogate(rest[at]) || at + 1 == rest.Length || !char.IsLowSurrogate(rest[at + 1]))
                return $"half of a surrogate pair (U+{(int)rest[at]:X4})";
            rest = rest[(at + 2)..];
        }
        return null;
    }

    /// <summary>The beginning of a text, of at most so many characters; a surrogate pair is not cut in half.</summary>
    public static string Cut(string text, int longest) =>
        text.Length <= longest ? text : text[..(char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)];

    /// <summary>Refuses what cannot be stored.</summary>
    /// <param name="text">The text.</param>
    /// <param name="what">What it is, as the sentence names it: <c>The description</c>.</param>
    /// <exception cref="UserInputException">It holds such a character.</exception>
    public static void Check(string? text, string what)
    {
        if (text is not null && FaultOf(text) is { } fault)
            throw new UserInputException($"{what} holds {fault}, which cannot be stored; leave it out.");
    }
}
