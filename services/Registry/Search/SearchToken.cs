namespace Espalier.Registry.Search;

internal enum SearchTokenKind
{
    Word,
    Text,
    Symbol,
    End,
}

/// <summary>One word of a query.</summary>
internal readonly record struct SearchToken(SearchTokenKind Kind, string Text, int Position)
{
    public override string ToString() => Kind switch { SearchTokenKind.End => "the end", SearchTokenKind.Text => $"\"{Text}\"", _ => $"'{Text}'" };

    /// <summary>Whether it is this keyword, in any case.</summary>
    public bool Is(string keyword) => Kind == SearchTokenKind.Word && Text.Equals(keyword, StringComparison.OrdinalIgnoreCase);
}

/// <summary>Cuts a query into words, quoted texts and symbols.</summary>
internal static class SearchLexer
{
    private const int LongestQuery = 2000;
    private static readonly string[] Symbols = ["<=", ">=", "!=", "==", "<", ">", "=", "~", "(", ")", "*", "+", "-"];

    public static List<SearchToken> Read(string text)
    {
        if (text.Length > LongestQuery)
            throw new SearchException(LongestQuery + 1, $"the query has {text.Length} characters; at most {LongestQuery} are read");
        var tokens = new List<SearchToken>();
        for (var at = 0; at < text.Length;)
        {
            if (char.IsWhiteSpace(text[at]))
            {
                at++;
                continue;
            }
            var (token, end) = ReadToken(text, at);
            tokens.Add(token);
            at = end;
        }
        tokens.Add(new SearchToken(SearchTokenKind.End, "", text.Length + 1));
        return tokens;
    }

    private static (SearchToken Token, int End) ReadToken(string text, int at)
    {
        if (text[at] is '"' or '\'')
        {
            var end = text.IndexOf(text[at], at + 1);
            if (end > 0 && text[at..end].Any(char.IsControl))
                throw new SearchException(at + 1, "the quoted text holds control characters");
            return end > 0
                ? (new SearchToken(SearchTokenKind.Text, text[(at + 1)..end], at + 1), end + 1)
                : throw new SearchException(at + 1, "the quoted text has no end");
        }
        if (IsWord(text[at]))
        {
            var end = at;
            while (end < text.Length && (IsWord(text[end]) || IsSignInside(text, end)))
                end++;
            return (new SearchToken(SearchTokenKind.Word, text[at..end], at + 1), end);
        }
        foreach (var symbol in Symbols)
        {
            if (string.CompareOrdinal(text, at, symbol, 0, symbol.Length) == 0)
                return (new SearchToken(SearchTokenKind.Symbol, symbol, at + 1), at + symbol.Length);
        }
        throw new SearchException(at + 1, $"'{(char.IsControl(text[at]) ? '?' : text[at])}' has no meaning here; texts with other characters go into quotes");
    }

    /// <summary>A minus or plus belongs to a word inside it (bits-per-byte, 2026-11-22, 1e-3), not before it.</summary>
    private static bool IsSignInside(string text, int at) =>
        text[at] is '-' or '+' && at + 1 < text.Length && IsWord(text[at + 1]) && (text[at] == '-' || text[at - 1] is 'e' or 'E');

    private static bool IsWord(char c) => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '/' or ':' or '@';
}
