using System.Globalization;
using System.Text;

namespace Espalier.Tokenizers;

/// <summary>A token outside the merge table, matched in the text as it stands.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
/// <param name="Special">Whether decoding leaves it out.</param>
/// <param name="Normalized">Whether it is looked for after normalization.</param>
/// <param name="SingleWord">Whether it may not touch word characters.</param>
/// <param name="StripLeft">Whether white space before it belongs to it.</param>
/// <param name="StripRight">Whether white space after it belongs to it.</param>
internal sealed record AddedToken(
    int Id, string Content, bool Special, bool Normalized = false, bool SingleWord = false, bool StripLeft = false, bool StripRight = false);

/// <summary>Finds added tokens in a text: leftmost first, longest among those that start there.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly Dictionary<char, AddedToken[]> _byFirst;
    private readonly System.Buffers.SearchValues<char> _firsts;

    public AddedTokenMatcher(IEnumerable<AddedToken> tokens)
    {
        _byFirst = tokens.Where(t => t.Content.Length > 0)
            .GroupBy(t => t.Content[0])
            .ToDictionary(g => g.Key, g => g.OrderByDescending(t => t.Content.Length).ThenBy(t => t.Id).ToArray());
        _firsts = System.Buffers.SearchValues.Create(_byFirst.Keys.ToArray());
    }

    /// <summary>Cuts a text: calls one action for the text between tokens and the other for each token, in order.</summary>
    public void Split(string text, Action<string> onText, Action<int> onToken)
    {
        var done = 0;
        var position = 0;
        while (Find(text, position) is { } match)
        {
            var (token, start) = match;
            var end = start + token.Content.Length;
            position = end;
            if (token.SingleWord && (TouchesWordBefore(text, start) || TouchesWordAfter(text, end)))
                continue;
            while (token.StripLeft && start > done && char.IsWhiteSpace(text[start - 1]))
                start--;
            while (token.StripRight && end < text.Length && char.IsWhiteSpace(text[end]))
                end++;
            if (start > done)
                onText(text[done..start]);
            onToken(token.Id);
            done = end; // not where the search goes on: a token within the stripped space still counts
        }
        if (done < text.Length)
            onText(done == 0 ? text : text[done..]);
    }

    private (AddedToken Token, int Start)? Find(string text, int from)
    {
        while (from < text.Length)
        {
            var offset = text.AsSpan(from).IndexOfAny(_firsts);
            if (offset < 0)
                return null;
            from += offset;
            foreach (var token in _byFirst[text[from]])
            {
                if (string.CompareOrdinal(text, from, token.Content, 0, token.Content.Length) == 0)
                    return (token, from);
            }
            from++;
        }
        return null;
    }

    private static bool TouchesWordBefore(string text, int start) =>
        start > 0 && Rune.DecodeLastFromUtf16(text.AsSpan(0, start), out var rune, out _) == System.Buffers.OperationStatus.Done && IsWord(rune);

    private static bool TouchesWordAfter(string text, int end) =>
        end < text.Length && Rune.DecodeFromUtf16(text.AsSpan(end), out var rune, out _) == System.Buffers.OperationStatus.Done && IsWord(rune);

    // \w as Unicode's annex C of UTS 18 has it, and the reference library: letters, marks, decimal digits, connector punctuation, the
    // two joiners, and enclosed letters, which are symbols by category.
    private static bool IsWord(Rune rune) => Rune.GetUnicodeCategory(rune) is
        <= UnicodeCategory.OtherLetter or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
        or UnicodeCategory.EnclosingMark or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber
        or UnicodeCategory.ConnectorPunctuation
        || rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9)
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);
}
