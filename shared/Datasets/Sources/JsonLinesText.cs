using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.Datasets.Sources;

/// <summary>
/// Documents as JSON objects, one a line, the way corpora are handed on: <c>{"text": "..."}</c>. A file that ends in <c>.gz</c> is
/// unpacked while it is read. Documents are named by the hash of their text, so the same text is on the same side of the split
/// wherever it stands.
/// </summary>
internal static class JsonLinesText
{
    private const string Field = "text", Packed = ".gz";
    private const int ShownFields = 6;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Text of a file.</summary>
    /// <exception cref="UserInputException">A line is no JSON object with a text, or the file cannot be read.</exception>
    public static SourceText FromFile(string path, CancellationToken cancellationToken) =>
        OwnFile.Read(path, file => UserText.ToSource("jsonl", path, Documents(file, path, cancellationToken)));

    private static IEnumerable<Document> Documents(FileStream file, string path, CancellationToken cancellationToken)
    {
        using var bytes = path.EndsWith(Packed, StringComparison.OrdinalIgnoreCase)
            ? new BoundedStream(new GZipStream(file, CompressionMode.Decompress), path)
            : (Stream)file;
        using var reader = new StreamReader(bytes, Strict, detectEncodingFromByteOrderMarks: false, bufferSize: 1 << 16);
        for (var line = 1; ReadLine(reader, path, line) is { } json; line++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (string.IsNullOrWhiteSpace(json))
                continue;
            var text = TextOf(line == 1 ? json.TrimStart('\uFEFF') : json, path, line);
            if (text.Length > 0)
                yield return new Document(TextPieces.NameOf(text), text);
        }
    }

    private static string? ReadLine(StreamReader reader, string path, int line)
    {
        try
        {
            return reader.ReadLine();
        }
        catch (DecoderFallbackException e)
        {
            throw new UserInputException($"{path} is not UTF-8 text near line {line}: convert it.", e);
        }
        catch (InvalidDataException e)
        {
            throw new UserInputException($"{path} cannot be unpacked near line {line}: it is damaged, or no gzip file. {e.Message}", e);
        }
    }

    private static string TextOf(string json, string path, int line)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var value = document.RootElement;
            if (value.ValueKind != JsonValueKind.Object)
                throw Wrong(path, line, $"it is a JSON {Name(value)}, and an object such as {{\"{Field}\": \"...\"}} is expected");
            if (!value.TryGetProperty(Field, out var text))
                throw Wrong(path, line, $"it has no field '{Field}'; it has {FieldsOf(value)}");
            return text.ValueKind == JsonValueKind.String ? text.GetString()! : throw Wrong(path, line, $"its field '{Field}' is a {Name(text)}, not a text");
        }
        catch (JsonException e)
        {
            throw Wrong(path, line, $"it is not JSON ({e.Message.Split('.')[0]}), as when a file was cut off");
        }
        catch (InvalidOperationException)
        {
            throw Wrong(path, line, $"its field '{Field}' holds half of a character");
        }
    }

    private static string FieldsOf(JsonElement value)
    {
        var names = value.EnumerateObject().Select(p => $"'{p.Name}'").ToList();
        var rest = names.Count > ShownFields ? $" and {names.Count - ShownFields} more" : "";
        return names.Count == 0 ? "none" : string.Join(", ", names.Take(ShownFields)) + rest;
    }

    private static string Name(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => "list",
        JsonValueKind.True or JsonValueKind.False => "truth value",
        JsonValueKind.Object => "map",
        _ => value.ValueKind.ToString().ToLowerInvariant(),
    };

    private static UserInputException Wrong(string path, int line, string reason) => new($"{path}, line {line}: {reason}.");

    /// <summary>A packed file of little may unpack to more than there is memory for.</summary>
    private sealed class BoundedStream(Stream inner, string path) : Stream
    {
        private long _read;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => _read; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            var read = inner.Read(buffer);
            return (_read += read) > OwnFile.MostBytes
                ? throw new UserInputException($"{path} unpacks to more than {OwnFile.MostBytes >> 30} GiB; cut it into files.")
                : read;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
