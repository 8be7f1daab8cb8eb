using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Espalier.Tokenizers;

/// <summary>
/// Takes a split expression of a tokenizer file into .NET's. Tokenizers match characters, .NET matches UTF-16 units: every
/// class that holds characters beyond U+FFFF is spelled out in surrogate pairs. Lines end where the reference engine
/// (Oniguruma) ends them. What the two engines understand differently is refused by name.
/// </summary>
internal sealed class CutExpression
{
    private const int LongestExpression = 1 << 14; // classes cost time by the square of their length
    private static readonly TimeSpan LongestMatch = TimeSpan.FromSeconds(10);

    // Case folding in the reference engine also takes U+017F to s. These are the groups that tokenizers use.
    private static readonly Dictionary<string, string> Folded = new()
    {
        ["(?i:'s|'t|'re|'ve|'m|'ll|'d)"] = "(?:'[sS\u017F]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])",
        ["(?i:[sdmt]|ll|ve|re)"] = "(?:[sS\u017FdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])",
    };

    private readonly int[] _source;
    private readonly string _text;
    private int _at;

    private CutExpression(string text) => (_text, _source) = (text, [.. text.EnumerateRunes().Select(rune => rune.Value)]);

    private int Here => _at < _source.Length ? _source[_at] : -1;

    private int Next => _at + 1 < _source.Length ? _source[_at + 1] : -1;

    /// <summary>The expression, ready to match text without lone surrogates.</summary>
    /// <exception cref="FormatException">What cannot be taken over exactly; a sentence without its end.</exception>
    public static Regex Compile(string expression)
    {
        if (expression.Length > LongestExpression)
            throw new FormatException($"is {expression.Length} characters long; at most {LongestExpression} are read");
        var translated = new CutExpression(expression).Translate();
        try
        {
            return new Regex(translated, RegexOptions.Multiline | RegexOptions.CultureInvariant | RegexOptions.Compiled, LongestMatch);
        }
        catch (ArgumentException exception)
        {
            throw new FormatException($"'{Short(expression)}' is not an expression that is understood: {exception.Message}", exception);
        }
    }

    private static string Short(string expression) => expression.Length <= 200 ? expression : expression[..200] + "...";

    private string Translate()
    {
        var result = new StringBuilder();
        while (_at < _source.Length)
            result.Append(Element());
        return result.ToString();
    }

    private string Element()
    {
        switch (Here)
        {
            case '[':
                return Class().Spell();
            case '.':
                _at++;
                return new CharacterSet { IsNegated = true }.Add('\n', '\n').Spell();
            case '\\':
                return Escape().Spell();
            case '(' when Next == '?':
                return Group();
            case '*' or '+' or '?' or '}' when Next == '+':
                throw Refuse("possessive quantifiers are not supported");
            case '(' or ')' or '|' or '*' or '+' or '?' or '{' or '}' or '^' or '$':
                return ((char)_source[_at++]).ToString();
            default:
                return new CharacterSet().Add(Here, _source[_at++]).Spell();
        }
    }

    private string Group()
    {
        var rest = string.Concat(_source.Skip(_at).Take(40).Select(char.ConvertFromUtf32));
        foreach (var (folded, spelled) in Folded)
        {
            if (!rest.StartsWith(folded, StringComparison.Ordinal))
                continue;
            _at += folded.Length;
            return spelled;
        }
        var opening = new[] { "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>" }.FirstOrDefault(o => rest.StartsWith(o, StringComparison.Ordinal))
            ?? throw Refuse($"'{(rest.Length > 4 ? rest[..4] : rest)}' begins a group of a kind that is not supported");
        _at += opening.Length;
        return opening;
    }

    // At a backslash: a class or one character.
    private CharacterSet Escape()
    {
        var escaped = Next;
        _at += 2;
        switch (escaped)
        {
            case 'p' or 'P':
                return Property(isNegated: escaped == 'P');
            case 's' or 'S':
                return new CharacterSet { IsNegated = escaped == 'S' }.Add(CharacterSet.Space);
            case 'd' or 'D':
                return new CharacterSet { IsNegated = escaped == 'D' }.Add("Nd");
            case 'n':
                return new CharacterSet().Add('\n', '\n');
            case 'r':
                return new CharacterSet().Add('\r', '\r');
            case 't':
                return new CharacterSet().Add('\t', '\t');
            case 'f':
                return new CharacterSet().Add('\f', '\f');
            case 'v':
                return new CharacterSet().Add('\v', '\v');
            case 'x' or 'u':
                return Code(escaped == 'x' ? 2 : 4);
            case < 0:
                throw Refuse("ends in a backslash");
            case < 128 when char.IsAsciiLetterOrDigit((char)escaped):
                throw Refuse($"'\\{(char)escaped}' is not supported");
            default:
                return new CharacterSet().Add(escaped, escaped);
        }
    }

    private CharacterSet Property(bool isNegated)
    {
        var end = Array.IndexOf(_source, '}', _at);
        if (Here != '{' || end < 0)
            throw Refuse("'\\p' needs a category in braces");
        var name = string.Concat(_source[(_at + 1)..end].Select(char.ConvertFromUtf32));
        _at = end + 1;
        if (name.StartsWith('^'))
            (name, isNegated) = (name[1..], !isNegated);
        return CharacterSet.IsCategory(name)
            ? new CharacterSet { IsNegated = isNegated }.Add(name)
            : throw Refuse($"'\\p{{{name}}}' is not a general category");
    }

    // \x41, \x{1F600}, \u0041
    private CharacterSet Code(int digits)
    {
        var (start, end) = (_at, _at + digits);
        if (Here == '{')
            (start, end) = (_at + 1, Array.IndexOf(_source, '}', _at));
        if (end <= start || end > _source.Length
            || !int.TryParse(
                string.Concat(_source[start..end].Select(char.ConvertFromUtf32)), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
            || !Rune.IsValid(code))
            throw Refuse("has an escape that is not a character");
        _at = _source[end - 1] != '}' && end < _source.Length && Here == '{' ? end + 1 : end;
        return new CharacterSet().Add(code, code);
    }

    private CharacterSet Class()
    {
        _at++;
        var set = new CharacterSet { IsNegated = Here == '^' };
        if (set.IsNegated)
            _at++;
        for (var isFirst = true; Here != ']' || isFirst; isFirst = false)
        {
            if (Here < 0)
                throw Refuse("has a class without its ']'");
            if (Here == '[' || Here == '&' && Next == '&')
                throw Refuse("has a class within a class, which is not supported");
            var member = Here == '\\' ? Escape() : new CharacterSet().Add(Here, _source[_at++]);
            if (Here == '-' && Next != ']' && Next >= 0 && member.Single is { } from)
            {
                _at++;
                var last = Here == '\\' ? Escape() : new CharacterSet().Add(Here, _source[_at++]);
                if (last.Single is not { } to || to < from)
                    throw Refuse("has a range that runs backwards or ends in a class");
                member = new CharacterSet().Add(from, to);
            }
            set.Add(member);
        }
        _at++;
        return set;
    }

    private FormatException Refuse(string why) => new($"'{Short(_text)}' cannot be taken over exactly: {why}");
}
