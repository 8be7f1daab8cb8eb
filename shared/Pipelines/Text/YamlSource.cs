using Espalier.Contracts;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Espalier.Pipelines.Text;

/// <summary>
/// Reads YAML as plain data with places. Input is hostile: size, depth and number of values are bounded, and tags, anchors,
/// aliases and several documents in one file are refused, so nothing expands and nothing is constructed.
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

    private static string Reason(YamlException exception)
    {
        var message = (exception.InnerException ?? exception).Message;
        var end = message.StartsWith('(') ? message.IndexOf("): ", StringComparison.Ordinal) : -1;
        return end < 0 ? message : message[(end + 3)..];
    }

    private sealed class Reader(IParser parser, string place)
    {
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
            if (next is AnchorAlias or NodeEvent { Anchor.IsEmpty: false })
                throw Refuse(next, "anchors and aliases (& and *) are not read: put the value into 'params' and write ${name}");
            if (next is NodeEvent { Tag.IsEmpty: false } tagged)
                throw Refuse(next, $"the tag {tagged.Tag} is not read: write the plain value");
            return next switch
            {
                Scalar => ReadScalar(parser.Consume<Scalar>()),
                SequenceStart => ReadList(parser.Consume<SequenceStart>(), depth),
                _ => ReadMap(parser.Consume<MappingStart>(), depth),
            };
        }

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
            return new PlacedNode { Kind = NodeKind.Map, Entries = entries, Line = (int)start.Start.Line, Column = (int)start.Start.Column };
        }

        private UserInputException Refuse(ParsingEvent at, string message) =>
            new([new Problem(place, (int)at.Start.Line, (int)at.Start.Column, message)]);
    }
}
