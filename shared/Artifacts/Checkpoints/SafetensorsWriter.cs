using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Espalier.Artifacts.Blobs;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>
/// Writes safetensors files byte for byte as the reference writer does: tensors by element type from the widest down,
/// then by name; compact JSON, padded with spaces so that the data starts at a multiple of eight.
/// </summary>
public static class SafetensorsWriter
{
    private const int ChunkBytes = 8 << 20;

    /// <summary>What readers in the field expect to find: <c>format: pt</c>.</summary>
    public static IReadOnlyDictionary<string, string> DefaultMetadata { get; } = new Dictionary<string, string> { ["format"] = "pt" };

    /// <summary>The tensors in the order in which a file lays them out.</summary>
    public static IReadOnlyList<TensorHeader> Layout(IEnumerable<TensorHeader> tensors) =>
        [.. tensors.OrderByDescending(t => TensorTypes.OrderOf(t.DType)).ThenBy(t => t.Name, Utf8Order.Comparer)];

    /// <summary>The bytes before the data: length, JSON, padding.</summary>
    /// <param name="layout">Tensors in layout order.</param>
    /// <param name="metadata">Free texts; keys are written sorted.</param>
    /// <exception cref="InvalidOperationException">The header would be longer than readers accept.</exception>
    public static byte[] Header(IReadOnlyList<TensorHeader> layout, IReadOnlyDictionary<string, string> metadata)
    {
        var json = new StringBuilder("{", 64 + layout.Count * 128);
        if (metadata.Count > 0)
        {
            json.Append('"').Append(SafetensorsHeader.MetadataKey).Append("\":{");
            foreach (var (key, value) in metadata.OrderBy(p => p.Key, Utf8Order.Comparer))
                AppendText(AppendText(json, key).Append(':'), value).Append(',');
            json.Length--;
            json.Append("},");
        }
        long offset = 0;
        foreach (var tensor in layout)
        {
            AppendText(json, tensor.Name).Append(
                CultureInfo.InvariantCulture,
                $":{{\"dtype\":\"{tensor.DType}\",\"shape\":[{string.Join(',', tensor.Shape)}],\"data_offsets\":[{offset},{offset + tensor.SizeBytes}]}},");
            offset += tensor.SizeBytes;
        }
        if (json[^1] == ',')
            json.Length--;
        json.Append('}');
        var text = Encoding.UTF8.GetBytes(json.ToString());
        var header = new byte[(SafetensorsHeader.PrefixBytes + text.Length + 7) / 8 * 8];
        header.AsSpan().Fill((byte)' ');
        text.CopyTo(header, SafetensorsHeader.PrefixBytes);
        var length = header.Length - SafetensorsHeader.PrefixBytes;
        if (length > SafetensorsHeader.MaxBytes)
            throw new InvalidOperationException(
                $"The header of {layout.Count} tensors takes {length} bytes; readers accept {SafetensorsHeader.MaxBytes}. Use more shards.");
        BinaryPrimitives.WriteInt64LittleEndian(header, length);
        return header;
    }

    /// <summary>
    /// Writes a file: to a temporary file beside it, flushed to disk, then renamed over <paramref name="path"/>. Memory is
    /// bounded by a small buffer.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="source">Where the bytes come from.</param>
    /// <param name="names">Which tensors; null takes all.</param>
    /// <param name="metadata">Free texts; null writes <see cref="DefaultMetadata"/>.</param>
    /// <param name="progress">Gets the number of data bytes after every chunk.</param>
    /// <param name="cancellationToken">Stops and leaves nothing behind.</param>
    public static async Task WriteAsync(
        string path, ITensorBytes source, IEnumerable<string>? names = null, IReadOnlyDictionary<string, string>? metadata = null,
        Action<long>? progress = null, CancellationToken cancellationToken = default)
    {
        var layout = Layout((names ?? source.Names).Select(source.Describe));
        var header = Header(layout, metadata ?? DefaultMetadata);
        var full = Path.GetFullPath(path);
        var temporary = Path.Combine(Path.GetDirectoryName(full)!, $".{Path.GetFileName(full)}.{Guid.NewGuid():n}.partial");
        try
        {
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0))
            {
                await file.WriteAsync(header, cancellationToken).ConfigureAwait(false);
                await WriteDataAsync(file, source, layout, progress, cancellationToken).ConfigureAwait(false);
                file.Flush(flushToDisk: true);
            }
            File.Move(temporary, full, overwrite: true);
            FileSystemCalls.FlushDirectory(Path.GetDirectoryName(full)!);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static async Task WriteDataAsync(
        Stream file, ITensorBytes source, IReadOnlyList<TensorHeader> layout, Action<long>? progress, CancellationToken cancellationToken)
    {
        var largest = layout.Count == 0 ? 0 : layout.Max(t => t.SizeBytes);
        var buffer = new byte[Math.Min(ChunkBytes, largest)];
        long done = 0;
        foreach (var tensor in layout)
            for (long offset = 0; offset < tensor.SizeBytes;)
            {
                var chunk = buffer.AsMemory(0, (int)Math.Min(buffer.Length, tensor.SizeBytes - offset));
                source.ReadRange(tensor.Name, offset, chunk.Span);
                await file.WriteAsync(chunk, cancellationToken).ConfigureAwait(false);
                offset += chunk.Length;
                done += chunk.Length;
                progress?.Invoke(done);
            }
    }

    // The built-in writer escapes more than the reference does (anything beyond the basic plane, for one).
    private static StringBuilder AppendText(StringBuilder json, string text)
    {
        json.Append('"');
        foreach (var c in text)
            _ = c switch
            {
                '"' or '\\' => json.Append('\\').Append(c),
                '\b' => json.Append("\\b"),
                '\f' => json.Append("\\f"),
                '\n' => json.Append("\\n"),
                '\r' => json.Append("\\r"),
                '\t' => json.Append("\\t"),
                < ' ' => json.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => json.Append(c),
            };
        return json.Append('"');
    }
}
