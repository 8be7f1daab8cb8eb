using System.Globalization;
using Espalier.Contracts;

namespace Espalier.Pipelines.Expressions;

/// <summary>
/// A <c>when:</c> condition over an event: <c>event.model == "olmoe" and event.version > 3 or matches(event.alias, "cand*")</c>. The
/// language of <see cref="Condition"/> with text in quotes; what the event says is a value, and never becomes a part of the condition.
/// </summary>
public sealed class EventFilter
{
    private readonly Node _root;

    private EventFilter(string text, Node root)
    {
        (Text, _root) = (text, root);
        Fields = [.. FieldsOf(root).DistinctBy(f => f.Path)];
    }

    /// <summary>As written.</summary>
    public string Text { get; }

    /// <summary>What it reads of the event, each once.</summary>
    public IReadOnlyList<EventField> Fields { get; }

    /// <summary>Reads a filter.</summary>
    /// <exception cref="ExpressionException">It cannot be read; with the column.</exception>
    public static EventFilter Parse(string text) => new(text, ExpressionParser.Parse(text, isOfEvent: true));

    /// <summary>Whether the event passes.</summary>
    /// <param name="find">What the event says under a name: a <see cref="double"/>, a <see cref="bool"/> or a <see cref="string"/>; null for nothing.</param>
    /// <exception cref="UserInputException">The event does not say what is asked for, or says it in another type.</exception>
    public bool IsMet(Func<string, object?> find) => Truth(_root, find);

    /// <inheritdoc/>
    public override string ToString() => Text;

    private object Evaluate(Node node, Func<string, object?> find)
    {
        switch (node)
        {
            case Constant constant:
                return constant.Truth ? constant.Value != 0 : constant.Value;
            case TextConstant text:
                return text.Value;
            case Field field:
                return find(field.Path) ?? throw Wrong($"the event has no '{field.Path}'");
        }
        var (name, operands, _) = (Operation)node;
        return name switch
        {
            "and" => Truth(operands[0], find) && Truth(operands[1], find),
            "or" => Truth(operands[0], find) || Truth(operands[1], find),
            "not" => !Truth(operands[0], find),
            "==" => AreEqual(operands, find),
            "!=" => !AreEqual(operands, find),
            "<" => Number(operands[0], find) < Number(operands[1], find),
            "<=" => Number(operands[0], find) <= Number(operands[1], find),
            ">" => Number(operands[0], find) > Number(operands[1], find),
            ">=" => Number(operands[0], find) >= Number(operands[1], find),
            "+" => Number(operands[0], find) + Number(operands[1], find),
            "-" => Number(operands[0], find) - Number(operands[1], find),
            "*" => Number(operands[0], find) * Number(operands[1], find),
            "/" => Number(operands[1], find) is not 0d and var divisor ? Number(operands[0], find) / divisor : throw Wrong("it divides by zero"),
            "negate" => -Number(operands[0], find),
            "min" => operands.Min(o => Number(o, find)),
            "max" => operands.Max(o => Number(o, find)),
            "matches" => Glob.IsMatch(((TextConstant)operands[1]).Value, TextOf(Evaluate(operands[0], find))),
            _ => Math.Abs(Number(operands[0], find)),
        };
    }

    private bool AreEqual(IReadOnlyList<Node> operands, Func<string, object?> find)
    {
        var (left, right) = (Evaluate(operands[0], find), Evaluate(operands[1], find));
        return left.GetType() == right.GetType()
            ? left.Equals(right)
            : throw Wrong($"it compares {Describe(left)} with {Describe(right)}");
    }

    private bool Truth(Node node, Func<string, object?> find) => Evaluate(node, find) switch
    {
        bool truth => truth,
        var other => throw Wrong($"{Describe(other)} is neither true nor false"),
    };

    private double Number(Node node, Func<string, object?> find) => Evaluate(node, find) switch
    {
        double number => number,
        var other => throw Wrong($"{Describe(other)} is not a number"),
    };

    private UserInputException Wrong(string reason) => new($"when: {Text}: {reason}.");

    private static string Describe(object value) => value switch
    {
        string text => $"the text \"{(text.Length <= 60 ? text : text[..57] + "...")}\"",
        bool truth => truth ? "true" : "false",
        _ => $"the number {TextOf(value)}",
    };

    private static string TextOf(object value) => value is double number ? number.ToString("R", CultureInfo.InvariantCulture) : value.ToString() ?? "";

    private static IEnumerable<EventField> FieldsOf(Node node) => node switch
    {
        Field field => [new EventField(field.Path, field.Column)],
        Operation operation => operation.Operands.SelectMany(FieldsOf),
        _ => [],
    };
}

/// <summary>What a filter reads of an event.</summary>
/// <param name="Path">Name without <c>event.</c>.</param>
/// <param name="Column">Column from 1 within the filter.</param>
public readonly record struct EventField(string Path, int Column);
