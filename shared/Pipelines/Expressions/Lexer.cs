namespace Espalier.Pipelines.Expressions;

/// <summary>
/// Cuts a condition into tokens. A hyphen between letters or digits belongs to the name (<c>bits-per-byte</c>), so minus after
/// a name needs a space before it.
/// </summary>
internal static class Lexer
{
    private static readonly string[] Symbols = ["<=", ">=", "==", "!=", "<", ">", "+", "-", "*", "/", "(", ")", ","];

    /// <summary>Reads tokens; text in quotes only where it has a meaning.</summary>
    public static List<Token> Read(string text, bool takesText)
    {
        var tokens = new List<Token>();
        var at = 0;
        while (true)
        {
            while (at < text.Length && char.IsWhiteSpace(text[at]))
                at++;
            if (at == text.Length)
                break;
            var token = takesText && text[at] is '"' or '\'' ? ReadText(text, at) : ReadToken(text, at);
            tokens.Add(token);
            at += token.Text.Length;
        }
        tokens.Add(new Token(TokenKind.End, "", text.Length + 1));
        return tokens;
    }

    private static Token ReadText(string text, int at)
    {
        var end = text.IndexOf(text[at], at + 1);
        return end > 0
            ? new Token(TokenKind.Text, text[at..(end + 1)], at + 1)
            : throw new ExpressionException(at + 1, $"the text that begins with {text[at]} here does not end");
    }

    private static Token ReadToken(string text, int at)
    {
        if (char.IsAsciiLetter(text[at]))
            return new Token(TokenKind.Name, text[at..NameEnd(text, at)], at + 1);
        if (char.IsAsciiDigit(text[at]) || (text[at] == '.' && at + 1 < text.Length && char.IsAsciiDigit(text[at + 1])))
            return new Token(TokenKind.Number, text[at..NumberEnd(text, at)], at + 1);
        foreach (var symbol in Symbols)
        {
            if (string.CompareOrdinal(text, at, symbol, 0, symbol.Length) == 0)
                return new Token(TokenKind.Symbol, symbol, at + 1);
        }
        throw new ExpressionException(at + 1, Remedy(text[at]));
    }

    private static string Remedy(char found) => found switch
    {
        '=' => "'=' compares with '=='",
        '&' => "write 'and' instead of '&'",
        '|' => "write 'or' instead of '|'",
        '!' => "write 'not' instead of '!'",
        '$' => "metrics are written without ${}: scores.int4.loss",
        '%' => "a percentage is written as a number: 1.02",
        '"' or '\'' => "metrics are numbers and are not compared with text",
        _ => $"'{found}' has no meaning here",
    };

    /// <summary>Letters, digits, and <c>.</c>, <c>-</c>, <c>_</c> where a letter or digit follows.</summary>
    private static int NameEnd(string text, int at)
    {
        while (at < text.Length
            && (char.IsAsciiLetterOrDigit(text[at])
                || (text[at] is '.' or '-' or '_' && at + 1 < text.Length && char.IsAsciiLetterOrDigit(text[at + 1]))))
            at++;
        return at;
    }

    private static int NumberEnd(string text, int at)
    {
        while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] == '.' || (text[at] is '-' or '+' && text[at - 1] is 'e' or 'E')))
            at++;
        return at;
    }
}
