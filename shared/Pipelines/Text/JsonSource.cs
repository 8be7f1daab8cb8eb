using System.Text;
using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.Pipelines.Text;

/// <summary>Reads JSON with the place of every value; size and depth are bounded, duplicate keys refused.</summary>
public static class JsonSource
{
    private const int MaxDepth = 32;

    /// <summary>Reads one value.</summary>
    /// <exception cref="UserInputException">The text is not JSON; with line and column.</exception>
    public static PlacedNode Parse(string text, string place)
    {
        if (text.Length > YamlSource.MaxLength)
            throw new UserInputException([new Problem(place, 1, 1, $"The text has {text.Length} characters; at most {YamlSource.MaxLength} are read.")]);
        var bytes = Encoding.UTF8.GetBytes(text);
        try
        {
            var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = MaxDepth });
            reader.Read();
            var root = ReadValue(ref reader, new Places(bytes), place);
            reader.Read(); // reports anything after the value
            return root;
        }
        catch (InvalidOperationException exception)
        {
            throw new UserInputException([new Problem(place, 1, 1, $"This is not JSON: {exception.Message}")]);
        }
        catch (JsonException exception)
        {
            var message = exception.Message.Split(" LineNumber:")[0];
            throw new UserInputException(
            [
                new Problem(
                    place, (int)(exception.LineNumber ?? 0) + 1, (int)(exception.BytePositionInLine ?? 0) + 1, $"This is not JSON: {message}"),
            ]);
        }
    }

    /// <summary>A value without a text of its own (a default, a message), all of it at one place.</summary>
    public static PlacedNode From(JsonElement value, int line, int column) => value.ValueKind switch
    {
        JsonValueKind.Object => new PlacedNode
        {
            Kind = NodeKind.Map, Line = line, Column = column,
            Entries = [.. value.EnumerateObject().Select(p => new PlacedEntry(p.Name, line, column, From(p.Value, line, column)))],
        },
        JsonValueKind.Array => new PlacedNode
        {
            Kind = NodeKind.List, Line = line, Column = column, Items = [.. value.EnumerateArray().Select(i => From(i, line, column))],
        },
        JsonValueKind.String => new PlacedNode { Kind = NodeKind.Text, Text = value.GetString()!, Line = line, Column = column },
        JsonValueKind.Number => new PlacedNode { Kind = NodeKind.Number, Text = value.GetRawText(), Line = line, Column = column },
        JsonValueKind.True or JsonValueKind.False => new PlacedNode { Kind = NodeKind.Bool, Text = value.GetRawText(), Line = line, Column = column },
        _ => new PlacedNode { Kind = NodeKind.Null, Line = line, Column = column },
    };

    private static PlacedNode ReadValue(ref Utf8JsonReader reader, Places places, string place)
    {
        var (line, column) = places.Of((int)reader.TokenStartIndex);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                return new PlacedNode { Kind = NodeKind.Map, Line = line, Column = column, Entries = ReadEntries(ref reader, places, place) };
            case JsonTokenType.StartArray:
                var items = new List<PlacedNode>();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    items.Add(ReadValue(ref reader, places, place));
                return new PlacedNode { Kind = NodeKind.List, Line = line, Column = column, Items = items };
            case JsonTokenType.String:
                var text = reader.GetString()!;
                if (HostileText.Find(text) is { } found)
                    throw new UserInputException([new Problem(place, line, column, $"The text holds {found}.")]);
                return new PlacedNode { Kind = NodeKind.Text, Text = text, Line = line, Column = column };
            case JsonTokenType.Number:
                return new PlacedNode { Kind = NodeKind.Number, Text = Encoding.UTF8.GetString(reader.ValueSpan), Line = line, Column = column };
            case JsonTokenType.True or JsonTokenType.False:
                return new PlacedNode { Kind = NodeKind.Bool, Text = reader.TokenType == JsonTokenType.True ? "true" : "false", Line = line, Column = column };
            default:
                return new PlacedNode { Kind = NodeKind.Null, Line = line, Column = column };
        }
    }

    private static List<PlacedEntry> ReadEntries(ref Utf8JsonReader reader, Places places, string place)
    {
        var entries = new List<PlacedEntry>();
        var seen = new HashSet<string>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var (line, column) = places.Of((int)reader.TokenStartIndex);
            var key = reader.GetString()!;
            if (!seen.Add(key))
                throw new UserInputException([new Problem(place, line, column, $"'{key}' is given twice")]);
            reader.Read();
            entries.Add(new PlacedEntry(key, line, column, ReadValue(ref reader, places, place)));
        }
        return entries;
    }

    /// <summary>Turns rising byte offsets into lines and columns, reading each byte once.</summary>
    private sealed class Places(byte[] bytes)
    {
        private int _read;
        private int _line = 1;
        private int _column = 1;

        public (int Line, int Column) Of(int index)
        {
            var part = bytes.AsSpan(_read, index - _read);
            var lastBreak = part.LastIndexOf((byte)'\n');
            _column = (lastBreak < 0 ? _column : 1) + Encoding.UTF8.GetCharCount(part[(lastBreak + 1)..]);
            _line += part.Count((byte)'\n');
            _read = index;
            return (_line, _column);
        }
    }
}
