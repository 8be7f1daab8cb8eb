using System.Globalization;
using Espalier.Pipelines.Text;
using Espalier.Contracts;

namespace Espalier.Pipelines.Expressions;

/// <summary>
/// Recursive descent, loosest first: or, and, not, comparison, + -, * /, unary minus, value. Depth is bounded, and the length
/// of the text bounds the rest.
/// </summary>
internal sealed class ExpressionParser
{
    public const int MaxLength = 1000;
    private const int MaxDepth = 32;
    private const string EventPrefix = "event.";
    private static readonly string[] Functions = ["min", "max", "abs"];
    private static readonly string[] EventFunctions = [.. Functions, "matches"];

    private readonly List<Token> _tokens;
    private readonly bool _isOfEvent;
    private int _at;
    private int _depth;

    private ExpressionParser(string text, bool isOfEvent) => (_tokens, _isOfEvent) = (Lexer.Read(text, isOfEvent), isOfEvent);

    /// <summary>Reads a condition: over metrics of steps, or over what an event says.</summary>
    public static Node Parse(string text, bool isOfEvent = false)
    {
        if (text.Length > MaxLength)
            throw new ExpressionException(1, $"the condition has {text.Length} characters; at most {MaxLength} are read");
        var parser = new ExpressionParser(text, isOfEvent);
        var root = parser.ReadOr();
        if (parser.Current.Kind != TokenKind.End)
            throw parser.Unexpected("'and', 'or', an operator or the end");
        var example = isOfEvent ? "event.model == \"demo\"" : "scores.int4.loss <= 2.5";
        return root.IsTruth || root.IsOpen ? root : throw new ExpressionException(root.Column, $"a condition compares something: {example}");
    }

    private Token Current => _tokens[_at];

    private Node ReadOr() => ReadChain(ReadAnd, truth: true, "or");

    private Node ReadAnd() => ReadChain(ReadNot, truth: true, "and");

    private Node ReadSum() => ReadChain(ReadProduct, truth: false, "+", "-");

    private Node ReadProduct() => ReadChain(ReadUnary, truth: false, "*", "/");

    private Node ReadChain(Func<Node> readOperand, bool truth, params string[] operators)
    {
        var left = readOperand();
        while (operators.Contains(Current.Text) && Current.Kind is not TokenKind.End)
        {
            var name = Take();
            var right = readOperand();
            left = new Operation(name.Text, [Check(left, truth, name), Check(right, truth, name)], left.Column);
        }
        return left;
    }

    private Node ReadNot()
    {
        if (Current is not { Kind: TokenKind.Name, Text: "not" })
            return ReadComparison();
        using var _ = Nest();
        var name = Take();
        return new Operation("not", [Check(ReadNot(), truth: true, name)], name.Column);
    }

    private Node ReadComparison()
    {
        var left = ReadSum();
        if (!IsComparison(Current))
            return left;
        var name = Take();
        var right = ReadSum();
        if (IsComparison(Current))
            throw new ExpressionException(Current.Column, "comparisons do not chain: write 'a < b and b < c'");
        // What an event says may be true or false, and then it is compared with just that.
        if (name.Text is "==" or "!=" && (left.IsOpen || right.IsOpen))
            return new Operation(name.Text, [left, right], left.Column);
        if (name.Text is "==" or "!=" && left is TextConstant && right is TextConstant)
            return new Operation(name.Text, [left, right], left.Column);
        return new Operation(name.Text, [Check(left, truth: false, name), Check(right, truth: false, name)], left.Column);
    }

    private Node ReadUnary()
    {
        if (Current is not { Kind: TokenKind.Symbol, Text: "-" })
            return ReadValue();
        using var _ = Nest();
        var name = Take();
        return new Operation("negate", [Check(ReadUnary(), truth: false, name)], name.Column);
    }

    private Node ReadValue()
    {
        using var _ = Nest();
        switch (Current)
        {
            case { Kind: TokenKind.Number }:
                return ReadNumber(Take());
            case { Kind: TokenKind.Text }:
                var text = Take();
                return new TextConstant(text.Text[1..^1], text.Column);
            case { Kind: TokenKind.Symbol, Text: "(" }:
                Take();
                var inner = ReadOr();
                Expect(")");
                return inner;
            case { Kind: TokenKind.Name, Text: "true" or "false" }:
                var truth = Take();
                return new Constant(truth.Text == "true" ? 1 : 0, true, truth.Column);
            case { Kind: TokenKind.Name, Text: not ("and" or "or" or "not") }:
                return ReadName(Take());
            default:
                throw Unexpected(_isOfEvent
                    ? "a number, a text in quotes, what the event says such as event.model, or '('"
                    : "a number, a metric such as scores.int4.loss, or '('");
        }
    }

    private static Constant ReadNumber(Token token) =>
        double.TryParse(token.Text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var value)
            && double.IsFinite(value)
            ? new Constant(value, false, token.Column)
            : throw new ExpressionException(token.Column, $"'{token.Text}' is not a number");

    private Node ReadName(Token name)
    {
        if (Current is { Kind: TokenKind.Symbol, Text: "(" })
            return ReadCall(name);
        if (_isOfEvent)
        {
            return name.Text.StartsWith(EventPrefix, StringComparison.Ordinal)
                ? new Field(name.Text[EventPrefix.Length..], name.Column)
                : throw new ExpressionException(name.Column, $"'{name.Text}' is not of the event: write event.NAME, and text in quotes");
        }
        return name.Text.Contains('.', StringComparison.Ordinal)
            ? new Metric(name.Text, name.Column)
            : throw new ExpressionException(
                name.Column, $"'{name.Text}' is not a metric: write STEP.METRIC, such as scores.int4.loss (minus needs a space on both sides)");
    }

    private Operation ReadCall(Token name)
    {
        var functions = _isOfEvent ? EventFunctions : Functions;
        if (!functions.Contains(name.Text))
            throw new ExpressionException(name.Column, $"unknown function '{name.Text}': {NearestWord.Hint(name.Text, functions)}");
        Take();
        if (name.Text == "matches")
            return ReadMatches(name);
        var arguments = new List<Node> { Check(ReadSum(), truth: false, name) };
        while (Current is { Kind: TokenKind.Symbol, Text: "," })
        {
            Take();
            arguments.Add(Check(ReadSum(), truth: false, name));
        }
        Expect(")");
        return name.Text == "abs" && arguments.Count != 1
            ? throw new ExpressionException(name.Column, $"'abs' takes one value, not {arguments.Count}")
            : new Operation(name.Text, arguments, name.Column);
    }

    /// <summary><c>matches(event.model, "olmoe-*")</c>.</summary>
    private Operation ReadMatches(Token name)
    {
        var value = ReadSum();
        Expect(",");
        var pattern = ReadSum();
        Expect(")");
        return value is Field or TextConstant && pattern is TextConstant
            ? new Operation(name.Text, [value, pattern], name.Column)
            : throw new ExpressionException(name.Column, "'matches' takes what the event says and a text in quotes: matches(event.model, \"base-*\")");
    }

    private static Node Check(Node operand, bool truth, Token name) =>
        operand is TextConstant
            ? throw new ExpressionException(operand.Column, $"'{name.Text}' takes {(truth ? "comparisons" : "numbers")}, and this is text")
            : operand.IsTruth == truth || operand.IsOpen
            ? operand
            : throw new ExpressionException(operand.Column, truth
                ? $"'{name.Text}' joins comparisons, and this is a number"
                : $"'{name.Text}' takes numbers, and this is a comparison");

    private static bool IsComparison(Token token) => token is { Kind: TokenKind.Symbol, Text: "<" or "<=" or ">" or ">=" or "==" or "!=" };

    private Token Take() => _tokens[_at++];

    private void Expect(string symbol)
    {
        if (Current.Kind != TokenKind.Symbol || Current.Text != symbol)
            throw Unexpected($"'{symbol}'");
        _at++;
    }

    private ExpressionException Unexpected(string expected) => new(Current.Column, $"expected {expected}; found {Current}");

    private Level Nest()
    {
        if (++_depth > MaxDepth)
            throw new ExpressionException(Current.Column, $"the condition nests deeper than {MaxDepth} levels");
        return new Level(this);
    }

    private readonly struct Level(ExpressionParser parser) : IDisposable
    {
        public void Dispose() => parser._depth--;
    }
}
