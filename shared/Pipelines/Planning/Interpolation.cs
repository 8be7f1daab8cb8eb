using System.Text;
using Espalier.Pipelines.Text;
using Espalier.Contracts;

namespace Espalier.Pipelines.Planning;

/// <summary>
/// Fills <c>${name}</c> (a parameter) and <c>${matrix.axis}</c> in. A value that is nothing but one reference takes over the
/// type; within a longer text the value is written out. <c>${step.output}</c> stays; <c>$${</c> is a plain <c>${</c>.
/// </summary>
internal sealed class Interpolation(
    IReadOnlyDictionary<string, PlacedNode> parameters, IReadOnlyDictionary<string, PlacedNode> matrix, ProblemList problems)
{
    private const string Open = "${";
    private const string MatrixPrefix = "matrix.";
    private const int MaxLength = 1 << 16;

    public PlacedNode Fill(PlacedNode node) => node.Kind switch
    {
        NodeKind.Text when node.Text.Contains(Open, StringComparison.Ordinal) => FillText(node),
        NodeKind.List => node with { Items = [.. node.Items.Select(Fill)] },
        NodeKind.Map => node with { Entries = MergeKey.Expand([.. node.Entries.Select(e => e with { Value = Fill(e.Value) })], RefuseMerge) },
        _ => node,
    };

    /// <summary>Whether a text is a reference to the output of a step, and which.</summary>
    public static bool TryReadOutput(string text, out string step, out string output)
    {
        (step, output) = ("", "");
        if (!text.StartsWith(Open, StringComparison.Ordinal) || !text.EndsWith('}'))
            return false;
        var inner = text[Open.Length..^1].Trim();
        var dot = inner.IndexOf('.', StringComparison.Ordinal);
        if (dot <= 0 || dot == inner.Length - 1)
            return false;
        (step, output) = (inner[..dot], inner[(dot + 1)..]);
        return true;
    }

    private bool RefuseMerge(PlacedNode value)
    {
        if (!value.IsReported)
            problems.Add(value, MergeKey.Rule(value));
        return false;
    }

    /// <summary>Reports the spelling of another tool.</summary>
    private bool HasDoubleBraces(PlacedNode node)
    {
        if (node.Text.IndexOf("${{", StringComparison.Ordinal) is not (>= 0 and var start))
            return false;
        var end = node.Text.IndexOf("}}", start, StringComparison.Ordinal);
        var name = end < 0 ? "name" : node.Text[(start + 3)..end].Trim();
        problems.Add(node, $"${{{{ {name} }}}} is written ${{{name}}} here, with one pair of braces");
        return true;
    }

    private PlacedNode FillText(PlacedNode node)
    {
        if (HasDoubleBraces(node))
            return node with { IsReported = true };
        if (WholeReference(node.Text) is { } whole)
        {
            if (IsOutput(whole))
                return node;
            return Find(whole, node) is { } value ? value with { Line = node.Line, Column = node.Column } : node with { IsReported = true };
        }
        return Replace(node, TextOf);
    }

    /// <summary>
    /// Fills a condition in. There a reference stands for a number or a truth, whatever is around it: a value never becomes an operator
    /// or the name of a metric.
    /// </summary>
    public PlacedNode FillCondition(PlacedNode node) =>
        node.Kind != NodeKind.Text || !node.Text.Contains(Open, StringComparison.Ordinal) ? node
        : HasDoubleBraces(node) ? node with { IsReported = true }
        : Replace(node, OperandOf);

    private PlacedNode Replace(PlacedNode node, Func<string, PlacedNode, string> valueOf)
    {
        var before = problems.Count;
        var result = new StringBuilder();
        var at = 0;
        while (node.Text.IndexOf(Open, at, StringComparison.Ordinal) is >= 0 and var start)
        {
            if (start > at && node.Text[start - 1] == '$')
            {
                result.Append(node.Text, at, start - 1 - at).Append(Open);
                at = start + Open.Length;
                continue;
            }
            var end = node.Text.IndexOf('}', start);
            if (end < 0)
            {
                problems.Add(node, $"'{Open}' in {node.Describe()} has no closing '}}'");
                return node with { IsReported = true };
            }
            result.Append(node.Text, at, start - at).Append(valueOf(node.Text[(start + Open.Length)..end].Trim(), node));
            at = end + 1;
        }
        result.Append(node.Text, at, node.Text.Length - at);
        if (result.Length > MaxLength)
            problems.Add(node, $"the text has {result.Length} characters once parameters are filled in; at most {MaxLength} are read");
        return node with { Text = result.ToString(), IsQuoted = true, IsReported = problems.Count > before };
    }

    private string TextOf(string name, PlacedNode node)
    {
        if (IsOutput(name))
        {
            problems.Add(node, $"${{{name}}}, the output of a step, cannot be a part of a text: give it as the whole value");
            return "";
        }
        var value = Find(name, node);
        if (value?.Kind is NodeKind.List or NodeKind.Map)
            problems.Add(node, $"${{{name}}} is {value.Describe()} and cannot be a part of a text");
        return value?.Text ?? "";
    }

    private string OperandOf(string name, PlacedNode node)
    {
        if (IsOutput(name))
        {
            problems.Add(node, $"${{{name}}} in 'when': metrics are written without ${{}}: scores.int4.loss");
            return "0";
        }
        if (Find(name, node) is not { } value)
            return "0";
        if (value.Kind is NodeKind.Number or NodeKind.Bool)
            return $"({value.Text.TrimStart('+')})"; // in brackets, so that a sign stays the value's own
        problems.Add(node, $"${{{name}}} in 'when' is {value.Describe()}: there a parameter is a number, true or false, never a part of the condition");
        return "0";
    }

    private PlacedNode? Find(string name, PlacedNode node)
    {
        var isMatrix = name.StartsWith(MatrixPrefix, StringComparison.Ordinal);
        var (key, values) = isMatrix ? (name[MatrixPrefix.Length..], matrix) : (name, parameters);
        if (values.TryGetValue(key, out var value))
            return value;
        problems.Add(node, isMatrix && matrix.Count == 0
            ? $"${{{name}}}: the step has no matrix"
            : $"unknown {(isMatrix ? "matrix axis" : "parameter")} '{key}': {NearestWord.Hint(key, [.. values.Keys])}");
        return null;
    }

    private static string? WholeReference(string text) =>
        text.StartsWith(Open, StringComparison.Ordinal) && text.IndexOf('}', StringComparison.Ordinal) == text.Length - 1
            ? text[Open.Length..^1].Trim()
            : null;

    private static bool IsOutput(string name) =>
        name.Contains('.', StringComparison.Ordinal) && !name.StartsWith(MatrixPrefix, StringComparison.Ordinal);
}
