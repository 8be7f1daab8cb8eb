using System.IO.Pipelines;
using System.Text.Encodings.Web;
using System.Text.Json;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Manifests;

namespace Espalier.Datasets.Building;

/// <summary>Stores items as a blob of JSON objects, one a line, while they are written.</summary>
internal static class JsonLinesBlob
{
    private const int FlushBytes = 1 << 16;
    private static readonly JsonWriterOptions LineOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Stores items under a path of the dataset.</summary>
    public static async Task<FileEntry> StoreAsync<T>(
        IBlobSink blobs, string path, IEnumerable<T> items, Action<Utf8JsonWriter, T> write, CancellationToken cancellationToken)
    {
        var pipe = new Pipe();
        var writing = Task.Run(() => WriteAsync(pipe.Writer, items, write, cancellationToken), CancellationToken.None);
        try
        {
            var receipt = await blobs.PutAsync(pipe.Reader.AsStream(), cancellationToken).ConfigureAwait(false);
            return new FileEntry(path, receipt.Digest, receipt.SizeBytes);
        }
        finally
        {
            await pipe.Reader.CompleteAsync().ConfigureAwait(false);
            await writing.ConfigureAwait(false);
        }
    }

    public static void WriteDocument(Utf8JsonWriter writer, SpooledDocument document)
    {
        writer.WriteStartObject();
        writer.WriteString("id", document.Id.Span);
        writer.WriteString("text", document.Text.Span);
        writer.WriteEndObject();
    }

    public static void WriteItem(Utf8JsonWriter writer, MultipleChoiceItem item)
    {
        writer.WriteStartObject();
        writer.WriteString("id", item.Id);
        writer.WriteString("context", item.Context);
        writer.WriteStartArray("choices");
        foreach (var choice in item.Choices)
            writer.WriteStringValue(choice);
        writer.WriteEndArray();
        writer.WriteNumber("answer", item.Answer);
        writer.WriteEndObject();
    }

    // What goes wrong here is thrown to whoever reads the pipe; so it must not be thrown twice.
    private static async Task WriteAsync<T>(PipeWriter pipe, IEnumerable<T> items, Action<Utf8JsonWriter, T> write, CancellationToken cancellationToken)
    {
        Exception? error = null;
        try
        {
            using var writer = new Utf8JsonWriter(pipe, LineOptions);
            var pending = 0L;
            foreach (var item in items)
            {
                write(writer, item);
                writer.Flush();
                pending += writer.BytesCommitted;
                writer.Reset();
                "\n"u8.CopyTo(pipe.GetSpan(1));
                pipe.Advance(1);
                if (pending < FlushBytes)
                    continue;
                pending = 0;
                if ((await pipe.FlushAsync(cancellationToken).ConfigureAwait(false)).IsCompleted)
                    return;
            }
            await pipe.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            error = e;
        }
        finally
        {
            await pipe.CompleteAsync(error).ConfigureAwait(false);
        }
    }
}
