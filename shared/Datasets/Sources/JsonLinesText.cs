using System.Text.Json;
using System.Text.Unicode;
using Espalier.Contracts;

namespace Espalier.Datasets.Sources;

/// <summary>
/// Documents as JSON objects, one a line, the way corpora are handed on: <c>{"text": "..."}</c>. A file that ends in <c>.gz</c> or
/// <c>.zst</c> is unpacked while it is read. Documents are named by the hash of their text, so the same text is on the same side of the
/// split wherever it stands.
/// </summary>
internal static class JsonLinesText
{
    /// <summary>The field that holds the text where none is named.</summary>
    public const string DefaultField = "text";

    private const int LongestLine = 4 * TextPieces.LongestDocument;

    /// <summary>Text of a file.</summary>
    /// <exception cref="UserInputException">A line is no JSON object with a text, or the file cannot be read.</exception>
    public static IEnumerable<Document> Read(string path, string field, CancellationToken cancellationToken)
    {
        using var stream = PackedFile.Open(path);
        var lines = new ByteLines(stream, LongestLine);
        for (var line = 1; NextLine(lines, path, line) is { } json; line++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (line == 1 && json.Span.StartsWith("\uFEFF"u8))
                json = json["\uFEFF"u8.Length..];
            if (json.Span.IndexOfAnyExcept(" \t\r"u8) < 0)
                continue;
            var text = TextOf(json, path, line, field);
            if (text.Length > TextPieces.LongestDocument)
                throw Wrong(path, line, TextPieces.TooLong);
            if (text.Length > 0)
                yield return new Document(TextPieces.NameOf(text), text);
        }
    }

    private static ReadOnlyMemory<byte>? NextLine(ByteLines lines, string path, int line)
    {
        try
        {
            var json = lines.Next();
            return json is null || Utf8.IsValid(json.Value.Span)
                ? json
                : throw new UserInputException($"{path} is not UTF-8 text near line {line}: convert it.");
        }
        catch (LineTooLongException)
        {
            throw Wrong(path, line, TextPieces.TooLong);
        }
        catch (Exception e) when (PackedFile.IsDamage(e))
        {
            throw PackedFile.Damaged(path, line, e);
        }
    }

    private static string TextOf(ReadOnlyMemory<byte> json, string path, int line, string field)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var value = document.RootElement;
            if (value.ValueKind != JsonValueKind.Object)
                throw Wrong(path, line, $"it is a JSON {Name(value)}, and an object such as {{\"{field}\": \"...\"}} is expected");
            if (!value.TryGetProperty(field, out var text))
                throw Wrong(path, line, FieldNames.Missing(field, [.. value.EnumerateObject().Select(p => p.Name)]));
            return text.ValueKind == JsonValueKind.String ? text.GetString()! : throw Wrong(path, line, $"its field '{field}' is a {Name(text)}, not a text");
        }
        catch (JsonException e)
        {
            throw Wrong(path, line, $"it is not JSON ({e.Message.Split('.')[0]}), as when a file was cut off");
        }
        catch (InvalidOperationException)
        {
            throw Wrong(path, line, $"its field '{field}' holds half of a character");
        }
    }

    private static string Name(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => "list",
        JsonValueKind.True or JsonValueKind.False => "truth value",
        JsonValueKind.Object => "map",
        _ => value.ValueKind.ToString().ToLowerInvariant(),
    };

    private static UserInputException Wrong(string path, int line, string reason) => new($"{path}, line {line}: {reason}.");
}
