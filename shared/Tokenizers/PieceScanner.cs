using System.Globalization;
using System.Text;

namespace Espalier.Tokenizers;

/// <summary>
/// Finds the pieces of a text as the patterns of <see cref="SplitPatterns"/> would. Written by hand because .NET regular
/// expressions see UTF-16 units: there, <c>\p{L}</c> never matches a letter beyond U+FFFF.
/// </summary>
internal static class PieceScanner
{
    private enum Kind : byte { Other, Letter, Number, Space, Mark }

    private static readonly Kind[] AsciiKinds = [.. Enumerable.Range(0, 128).Select(c => Classify(new Rune(c)))];

    /// <summary>Length in UTF-16 units of the first piece of a text that is not empty.</summary>
    public static int NextPiece(ReadOnlySpan<char> text, SplitPattern pattern) =>
        pattern == SplitPattern.Gpt2 ? NextGpt2(text) : NextLlama(text, pattern);

    // 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
    private static int NextGpt2(ReadOnlySpan<char> text)
    {
        var contraction = Contraction(text, ignoreCase: false);
        if (contraction > 0)
            return contraction;

        var start = text[0] == ' ' && text.Length > 1 && KindAt(text, 1, false, out _) != Kind.Space ? 1 : 0;
        var kind = KindAt(text, start, marks: false, out _);
        return kind == Kind.Space ? Spaces(text) : RunEnd(text, start, kind, int.MaxValue, marks: false);
    }

    // (?i:'s|...)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
    private static int NextLlama(ReadOnlySpan<char> text, SplitPattern pattern)
    {
        var contraction = Contraction(text, ignoreCase: true);
        if (contraction > 0)
            return contraction;

        var marks = pattern == SplitPattern.Qwen35;
        var kind = KindAt(text, 0, marks, out var length);
        if (kind == Kind.Letter)
            return RunEnd(text, 0, Kind.Letter, int.MaxValue, marks);
        if (kind == Kind.Number)
            return RunEnd(text, 0, Kind.Number, pattern == SplitPattern.Llama3 ? 3 : 1, marks);

        var nextKind = length < text.Length ? KindAt(text, length, marks, out _) : (Kind?)null;
        if (nextKind == Kind.Letter && text[0] is not ('\r' or '\n'))
            return RunEnd(text, length, Kind.Letter, int.MaxValue, marks);

        if (kind == Kind.Other || (text[0] == ' ' && nextKind == Kind.Other))
        {
            var end = RunEnd(text, kind == Kind.Other ? 0 : 1, Kind.Other, int.MaxValue, marks);
            while (end < text.Length && text[end] is '\r' or '\n')
                end++;
            return end;
        }
        var run = RunEnd(text, 0, Kind.Space, int.MaxValue, marks);
        var lineEnd = text[..run].LastIndexOfAny('\r', '\n');
        return lineEnd >= 0 ? lineEnd + 1 : Spaces(text);
    }

    // \s+(?!\S)|\s+ : the last space of a run stays for the word that follows, unless it is the only one.
    // Every white-space character is one UTF-16 unit.
    private static int Spaces(ReadOnlySpan<char> text)
    {
        var run = RunEnd(text, 0, Kind.Space, int.MaxValue, marks: false);
        return run == text.Length || run == 1 ? run : run - 1;
    }

    private static int RunEnd(ReadOnlySpan<char> text, int start, Kind kind, int limit, bool marks)
    {
        var end = start;
        for (var count = 0; count < limit && end < text.Length; count++)
        {
            if (KindAt(text, end, marks, out var length) != kind)
                break;
            end += length;
        }
        return end;
    }

    private static int Contraction(ReadOnlySpan<char> text, bool ignoreCase)
    {
        if (text.Length < 2 || text[0] != '\'')
            return 0;
        var first = Fold(text[1], ignoreCase);
        if (first is 's' or 't' or 'm' or 'd')
            return 2;
        if (text.Length < 3)
            return 0;
        return (first, Fold(text[2], ignoreCase)) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }

    // Case folding also takes the long s, U+017F, to s.
    private static char Fold(char character, bool ignoreCase) =>
        !ignoreCase ? character : character == '\u017F' ? 's' : char.ToLowerInvariant(character);

    private static Kind KindAt(ReadOnlySpan<char> text, int index, bool marks, out int length)
    {
        if (text[index] < 128)
        {
            length = 1;
            return AsciiKinds[text[index]];
        }
        Rune.DecodeFromUtf16(text[index..], out var rune, out length);
        var kind = Classify(rune);
        return kind != Kind.Mark ? kind : marks ? Kind.Letter : Kind.Other;
    }

    private static Kind Classify(Rune rune) => Rune.IsWhiteSpace(rune) ? Kind.Space : Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
            or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => Kind.Mark,
        _ => Kind.Other,
    };
}
