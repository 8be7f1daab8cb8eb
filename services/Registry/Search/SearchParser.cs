using System.Globalization;
using System.Text.RegularExpressions;

namespace Espalier.Registry.Search;

/// <summary>
/// Reads <c>params.active &lt; 2B and (loss &lt; 3.1 or tag.team = core) order by bytes desc</c>. Conditions join by and, or, not;
/// numbers take units (2B, 500M, 4GiB). Promotion rules are the same language without <c>order by</c>, where the value may be
/// <c>current.FIELD * 1.02</c>: that of the version which the alias points to now.
/// </summary>
internal sealed partial class SearchParser
{
    private const int MaxDepth = 24;
    private static readonly string[] Operators = ["<", "<=", ">", ">=", "=", "==", "!=", "~"];
    private static readonly Dictionary<string, double> Units = new(StringComparer.Ordinal)
    {
        [""] = 1, ["k"] = 1e3, ["K"] = 1e3, ["M"] = 1e6, ["B"] = 1e9, ["G"] = 1e9, ["T"] = 1e12,
        ["kB"] = 1e3, ["KB"] = 1e3, ["MB"] = 1e6, ["GB"] = 1e9, ["TB"] = 1e12,
        ["KiB"] = 1L << 10, ["MiB"] = 1L << 20, ["GiB"] = 1L << 30, ["TiB"] = 1L << 40,
    };

    private readonly List<SearchToken> _tokens;
    private readonly bool _isRule;
    private int _at;
    private int _depth;

    private SearchParser(string text, bool isRule) => (_tokens, _isRule) = (SearchLexer.Read(text), isRule);

    private SearchToken Current => _tokens[_at];

    /// <summary>Reads a query.</summary>
    /// <exception cref="SearchException">It cannot be read; with the position.</exception>
    public static SearchQuery ParseQuery(string text)
    {
        var parser = new SearchParser(text, isRule: false);
        var where = parser.Current.Kind == SearchTokenKind.End || parser.Current.Is("order") ? null : parser.ReadOr();
        var order = parser.Current.Is("order") ? parser.ReadOrder() : null;
        parser.ExpectEnd(order is null ? "'and', 'or', 'order by' or the end" : "the end");
        return new SearchQuery(where, order);
    }

    /// <summary>Reads a promotion rule.</summary>
    /// <exception cref="SearchException">It cannot be read; with the position.</exception>
    public static SearchNode ParseRule(string text)
    {
        var parser = new SearchParser(text, isRule: true);
        var rule = parser.ReadOr();
        parser.ExpectEnd("'and', 'or' or the end");
        return rule;
    }

    private SearchNode ReadOr() => ReadJunction("or", ReadAnd);

    private SearchNode ReadAnd() => ReadJunction("and", ReadNot);

    private SearchNode ReadJunction(string word, Func<SearchNode> read)
    {
        var operands = new List<SearchNode> { read() };
        while (Current.Is(word))
        {
            _at++;
            operands.Add(read());
        }
        return operands.Count == 1 ? operands[0] : new Junction(word == "and", operands, operands[0].Position);
    }

    private SearchNode ReadNot()
    {
        if (++_depth > MaxDepth)
            throw new SearchException(Current.Position, $"the query nests deeper than {MaxDepth} levels");
        try
        {
            var start = Current;
            if (start.Is("not"))
            {
                _at++;
                return new Negation(ReadNot(), start.Position);
            }
            if (start is { Kind: SearchTokenKind.Symbol, Text: "(" })
            {
                _at++;
                var inner = ReadOr();
                Expect(")");
                return inner;
            }
            return ReadComparison();
        }
        finally
        {
            _depth--;
        }
    }

    private Comparison ReadComparison()
    {
        var name = Current;
        if (name.Kind != SearchTokenKind.Word || IsKeyword(name) || char.IsAsciiDigit(name.Text[0]))
            throw Unexpected("a field such as loss, params.active or tag.team");
        _at++;
        var field = SearchField.Of(name.Text);
        if (field.Kind == FieldKind.Truth && !IsOperator(Current))
            return new Comparison(field, ">", new Operand(0, null), name.Position);
        var op = Current;
        if (!IsOperator(op))
            throw Unexpected($"a comparison after '{name.Text}': {string.Join(" ", Operators)}");
        _at++;
        CheckOperator(field, op);
        return new Comparison(field, op.Text == "==" ? "=" : op.Text, ReadValue(field), name.Position);
    }

    private Operand ReadValue(SearchField field)
    {
        var value = Current;
        if (_isRule && value.Kind == SearchTokenKind.Word && value.Text.StartsWith("current.", StringComparison.Ordinal))
            return ReadCurrent(field);
        var sign = 1;
        if (value is { Kind: SearchTokenKind.Symbol, Text: "-" })
        {
            (sign, _at) = (-1, _at + 1);
            value = Current;
        }
        if (value.Kind is not (SearchTokenKind.Word or SearchTokenKind.Text) || IsKeyword(value) && value.Kind == SearchTokenKind.Word)
            throw Unexpected("a value");
        _at++;
        return field.Kind switch
        {
            FieldKind.Number or FieldKind.Bytes or FieldKind.Metric => new Operand(sign * Number(value), null),
            FieldKind.Truth => new Operand(Truth(value) ? 1 : 0, null),
            FieldKind.Time => new Operand(null, Time(value)),
            _ => new Operand(null, value.Text),
        };
    }

    private static bool Truth(SearchToken token) =>
        token.Is("true") || token.Is("yes")
            || (token.Is("false") || token.Is("no") ? false : throw new SearchException(token.Position, "expected true or false"));

    private Operand ReadCurrent(SearchField field)
    {
        var name = Current;
        var other = SearchField.Of(name.Text["current.".Length..]);
        if (!field.IsNumeric || !other.IsNumeric)
            throw new SearchException(name.Position, "'current' stands for numbers only");
        _at++;
        double factor = 1, offset = 0;
        if (Current is { Kind: SearchTokenKind.Symbol, Text: "*" or "+" or "-" } op)
        {
            _at++;
            var number = Number(Current);
            _at++;
            (factor, offset) = op.Text switch { "*" => (number, 0d), "+" => (1d, number), _ => (1d, -number) };
        }
        return new Operand(null, null, other, factor, offset);
    }

    private SearchOrder ReadOrder()
    {
        _at++;
        if (!Current.Is("by"))
            throw Unexpected("'by' after 'order'");
        _at++;
        var name = Current;
        if (name.Kind != SearchTokenKind.Word || IsKeyword(name))
            throw Unexpected("a field to order by");
        _at++;
        var field = SearchField.Of(name.Text);
        if (!field.CanOrder)
            throw new SearchException(name.Position, $"versions cannot be ordered by '{name.Text}': order by a number, created or model");
        var descending = Current.Is("desc");
        if (descending || Current.Is("asc"))
            _at++;
        return new SearchOrder(field, descending);
    }

    private static double Number(SearchToken token)
    {
        var match = NumberPattern().Match(token.Kind == SearchTokenKind.End ? "" : token.Text);
        if (!match.Success)
            throw new SearchException(token.Position, $"expected a number such as 3.1, 2B or 4GiB; found {token}");
        if (!Units.TryGetValue(match.Groups["unit"].Value, out var factor))
        {
            var valid = string.Join(", ", Units.Keys.Where(u => u.Length > 0));
            throw new SearchException(token.Position, $"'{match.Groups["unit"].Value}' is not a unit: valid are {valid}");
        }
        var number = double.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture) * factor;
        return double.IsFinite(number) ? number : throw new SearchException(token.Position, $"{token} is too large");
    }

    private static string Time(SearchToken token) =>
        DateTimeOffset.TryParse(token.Text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? Queries.Timestamps.Write(time)
            : throw new SearchException(token.Position, $"expected a day such as 2026-11-22; found {token}");

    private static void CheckOperator(SearchField field, SearchToken op)
    {
        var isFine = field.Kind switch
        {
            FieldKind.Number or FieldKind.Bytes or FieldKind.Metric or FieldKind.Time => op.Text != "~",
            FieldKind.Truth or FieldKind.Alias => op.Text is "=" or "==" or "!=",
            _ => op.Text is "=" or "==" or "!=" or "~",
        };
        if (!isFine)
        {
            throw new SearchException(op.Position, field.IsNumeric || field.Kind == FieldKind.Time
                ? "'~' looks for a part of a text, and this is a number"
                : $"'{op.Text}' compares numbers, and '{field.Name}' is a text: use = != ~");
        }
    }

    private static bool IsOperator(SearchToken token) => token.Kind == SearchTokenKind.Symbol && Operators.Contains(token.Text);

    private static bool IsKeyword(SearchToken token) => token.Is("and") || token.Is("or") || token.Is("not") || token.Is("order") || token.Is("by");

    private void Expect(string symbol)
    {
        if (Current.Kind != SearchTokenKind.Symbol || Current.Text != symbol)
            throw Unexpected($"'{symbol}'");
        _at++;
    }

    private void ExpectEnd(string expected)
    {
        if (Current.Kind != SearchTokenKind.End)
            throw Unexpected(expected);
    }

    private SearchException Unexpected(string expected) => new(Current.Position, $"expected {expected}; found {Current}");

    [GeneratedRegex(@"\A(?<number>(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?)(?<unit>[A-Za-z]*)\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex NumberPattern();
}
