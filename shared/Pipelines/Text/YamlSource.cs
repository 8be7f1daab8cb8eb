using Espalier.Contracts;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Espalier.Pipelines.Text;

/// <summary>
/// Reads YAML as plain data with places. Input is hostile: size, depth and number of values are bounded, with what anchors and merge
/// keys repeat counted each time, and tags and several documents in one file are refused, so nothing is constructed.
/// </summary>
public static class YamlSource
{
    /// <summary>Longest text read, in characters.</summary>
    public const int MaxLength = 1 << 20;

    private const int MaxDepth = 32;
    private const int MaxNodes = 100_000;

    /// <summary>Reads one document.</summary>
    /// <exception cref="UserInputException">The text is not YAML, or uses what is refused; with line and column.</exception>
    public static PlacedNode Parse(string text, string place)
    {
        if (text.Length > MaxLength)
            throw new UserInputException([new Problem(place, 1, 1, $"The file has {text.Length} characters; at most {MaxLength} are read.")]);
        if (HostileText.Find(text) is { } found)
            throw new UserInputException([ProblemAt(text, place, $"The file holds {found}.")]);
        try
        {
            return new Reader(new Parser(new StringReader(text)), place).ReadDocument();
        }
        catch (YamlException exception)
        {
            if (FindTab(text, exception) is { } line)
                throw new UserInputException([new Problem(place, line, 1, "the line is indented with a tab character: YAML takes spaces only")]);
            throw new UserInputException(
                [new Problem(place, (int)exception.Start.Line, (int)exception.Start.Column, $"This is not YAML: {Reason(exception)}")]);
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException or OverflowException or FormatException)
        {
            // An escape such as \UFFFFFFFF, which the parser does not check.
            throw new UserInputException([new Problem(place, 1, 1, $"This is not YAML: {exception.Message}")]);
        }
    }

    /// <summary>At the first line that holds what is refused.</summary>
    private static Problem ProblemAt(string text, string place, string message)
    {
        var line = text.Split('\n').TakeWhile(l => HostileText.Find(l) is null).Count() + 1;
        return new Problem(place, line, 1, message);
    }

    /// <summary>The first line, up to the one where the parser gave up, that is indented with a tab.</summary>
    private static int? FindTab(string text, YamlException exception)
    {
        // Where a tab ends a map, the parser names the map's beginning.
        var isTab = exception.Message.Contains("tab", StringComparison.Ordinal);
        var last = isTab ? int.MaxValue : Math.Max(exception.Start.Line, exception.End.Line);
        var number = 0;
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            if (++number > last)
                break;
            if (line[..(line.Length - line.TrimStart().Length)].Contains('\t'))
                return number;
        }
        return null;
    }

    private static string Reason(YamlException exception)
    {
        var message = (exception.InnerException ?? exception).Message;
        var end = message.StartsWith('(') ? message.IndexOf("): ", StringComparison.Ordinal) : -1;
        return end < 0 ? message : message[(end + 3)..];
    }

    private sealed class Reader(IParser parser, string place)
    {
        private readonly Dictionary<string, Anchored> _anchors = new(StringComparer.Ordinal);
        private int _nodes;

        public PlacedNode ReadDocument()
        {
            parser.Consume<StreamStart>();
            if (parser.Accept<StreamEnd>(out _))
                return new PlacedNode { Kind = NodeKind.Null, Line = 1, Column = 1 };
            parser.Consume<DocumentStart>();
            var root = ReadNode(0);
            parser.Consume<DocumentEnd>();
            if (parser.Accept<DocumentStart>(out var second))
                throw Refuse(second, "the file holds a second document: keep one pipeline per file");
            return root;
        }

        private PlacedNode ReadNode(int depth)
        {
            var next = parser.Current!;
            if (depth > MaxDepth)
                throw Refuse(next, $"values nest deeper than {MaxDepth} levels");
            if (++_nodes > MaxNodes)
                throw Refuse(next, $"the file holds more than {MaxNodes} values");
            if (next is AnchorAlias)
                return Repeat(parser.Consume<AnchorAlias>(), depth);
            if (next is NodeEvent { Tag.IsEmpty: false } tagged)
                throw Refuse(next, $"the tag {tagged.Tag} is not read: write the plain value");
            var before = _nodes - 1;
            var node = next switch
            {
                Scalar => ReadScalar(parser.Consume<Scalar>()),
                SequenceStart => ReadList(parser.Consume<SequenceStart>(), depth),
                _ => ReadMap(parser.Consume<MappingStart>(), depth),
            };
            // Known only when it is whole, so that nothing can contain itself.
            if (next is NodeEvent { Anchor.IsEmpty: false } named)
                _anchors[named.Anchor.Value] = new Anchored(node, _nodes - before, HeightOf(node));
            return node;
        }

        /// <summary>What an anchor named, as if it were written here again: it counts against the limits each time.</summary>
        private PlacedNode Repeat(AnchorAlias alias, int depth)
        {
            var name = alias.Value.Value;
            if (!_anchors.TryGetValue(name, out var anchored))
                throw Refuse(alias, $"*{name} names no anchor: write &{name} before a value further up in the file");
            _nodes += anchored.Size - 1;
            if (_nodes > MaxNodes)
                throw Refuse(alias, $"the file holds more than {MaxNodes} values once anchors are repeated");
            if (depth + anchored.Height > MaxDepth)
                throw Refuse(alias, $"values nest deeper than {MaxDepth} levels");
            return anchored.Node with { Line = (int)alias.Start.Line, Column = (int)alias.Start.Column };
        }

        private static int HeightOf(PlacedNode node) => node.Kind switch
        {
            NodeKind.List => 1 + node.Items.Select(HeightOf).DefaultIfEmpty(0).Max(),
            NodeKind.Map => 1 + node.Entries.Select(e => HeightOf(e.Value)).DefaultIfEmpty(0).Max(),
            _ => 0,
        };

        private PlacedNode ReadScalar(Scalar scalar) => HostileText.Find(scalar.Value) is { } found ? throw Refuse(scalar, $"the text holds {found}") : new()
        {
            Kind = scalar.Style == ScalarStyle.Plain ? ScalarTypes.Of(scalar.Value) : NodeKind.Text,
            Text = scalar.Value,
            IsQuoted = scalar.Style is ScalarStyle.SingleQuoted or ScalarStyle.DoubleQuoted,
            Line = (int)scalar.Start.Line,
            Column = (int)scalar.Start.Column,
        };

        private PlacedNode ReadList(SequenceStart start, int depth)
        {
            var items = new List<PlacedNode>();
            while (!parser.TryConsume<SequenceEnd>(out _))
                items.Add(ReadNode(depth + 1));
            return new PlacedNode { Kind = NodeKind.List, Items = items, Line = (int)start.Start.Line, Column = (int)start.Start.Column };
        }

        private PlacedNode ReadMap(MappingStart start, int depth)
        {
            var entries = new List<PlacedEntry>();
            var lines = new Dictionary<string, int>();
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                var key = ReadNode(depth + 1);
                if (key.Kind is NodeKind.List or NodeKind.Map)
                    throw new UserInputException([new Problem(place, key.Line, key.Column, "a key must be a single word")]);
                if (!lines.TryAdd(key.Text, key.Line))
                {
                    throw new UserInputException(
                        [new Problem(place, key.Line, key.Column, $"'{key.Text}' is already given in line {lines[key.Text]}")]);
                }
                entries.Add(new PlacedEntry(key.Text, key.Line, key.Column, ReadNode(depth + 1)));
            }
            var merged = MergeKey.Expand(entries, IsParameter);
            return new PlacedNode { Kind = NodeKind.Map, Entries = merged, Line = (int)start.Start.Line, Column = (int)start.Start.Column };
        }

        /// <summary>A parameter that is merged is known later, when parameters are filled in.</summary>
        private bool IsParameter(PlacedNode value) =>
            IsReference(value) || value.Kind == NodeKind.List && value.Items.All(i => i.Kind == NodeKind.Map || IsReference(i))
            ? true
            : throw new UserInputException([new Problem(place, value.Line, value.Column, MergeKey.Rule(value))]);

        private static bool IsReference(PlacedNode value) => value.Kind == NodeKind.Text && value.Text.StartsWith("${", StringComparison.Ordinal);

        private sealed record Anchored(PlacedNode Node, int Size, int Height);

        private UserInputException Refuse(ParsingEvent at, string message) =>
            new([new Problem(place, (int)at.Start.Line, (int)at.Start.Column, message)]);
    }
}
