using System.Buffers;
using System.Runtime.InteropServices;
using Espalier.Gguf.Blocks;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Gguf.Files;

/// <summary>
/// Writes a GGUF file, version 3: keys and values, a table of tensors, then their bytes, each aligned. In memory are the header and one part
/// of one tensor.
/// </summary>
internal static class GgufWriter
{
    /// <summary>Where tensors may begin.</summary>
    public const int Alignment = 32;

    /// <summary>The first four bytes.</summary>
    public const uint Magic = 0x46554747; // "GGUF"

    public const uint Version = 3;

    private const int RowBytes = 16 << 20;

    /// <summary>Writes a file.</summary>
    /// <param name="path">A file that does not exist.</param>
    /// <param name="metadata">Keys and values.</param>
    /// <param name="tensors">Tensors, in the order in which they will lie.</param>
    /// <param name="progress">Gets bytes done and bytes in all.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public static async Task WriteAsync(
        string path, GgufMetadata metadata, IReadOnlyList<GgufTensor> tensors, IProgress<(long Done, long Total)>? progress,
        CancellationToken cancellationToken)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        var header = Header(metadata, tensors);
        await file.WriteAsync(header, cancellationToken).ConfigureAwait(false);
        var (begin, total) = (file.Position, tensors.Sum(t => Aligned(t.SizeBytes)));
        foreach (var tensor in tensors)
        {
            var end = file.Position + tensor.SizeBytes;
            foreach (var part in tensor.Parts)
            {
                await WritePartAsync(file, tensor.Type, part, cancellationToken).ConfigureAwait(false);
                progress?.Report((file.Position - begin, total));
            }
            if (file.Position != end)
                throw new InvalidOperationException($"{tensor.Name} has {file.Position - end + tensor.SizeBytes} bytes; {tensor.SizeBytes} were announced.");
            await file.WriteAsync(new byte[Aligned(tensor.SizeBytes) - tensor.SizeBytes], cancellationToken).ConfigureAwait(false);
        }
        progress?.Report((total, total));
        file.Flush(flushToDisk: true);
    }

    /// <summary>A number of bytes, filled up to the alignment.</summary>
    public static long Aligned(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private static byte[] Header(GgufMetadata metadata, IReadOnlyList<GgufTensor> tensors)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        writer.Write(Magic);
        writer.Write(Version);
        writer.Write((ulong)tensors.Count);
        writer.Write((ulong)metadata.Count);
        writer.Write(metadata.Bytes.Span);
        var offset = 0L;
        foreach (var tensor in tensors)
        {
            GgufMetadata.WriteText(writer, tensor.Name);
            writer.Write((uint)tensor.Shape.Count);
            foreach (var extent in tensor.Shape.Reverse())
                writer.Write((ulong)extent);
            writer.Write(tensor.Type.Id);
            writer.Write((ulong)offset);
            offset += Aligned(tensor.SizeBytes);
        }
        writer.Write(new byte[Aligned(bytes.Length) - bytes.Length]);
        return bytes.ToArray();
    }

    private static async Task WritePartAsync(FileStream file, IBlockType type, Func<Tensor> read, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        var weights = read().to(float32).contiguous().view(-1);
        var step = RowBytes / 4 / type.BlockSize * type.BlockSize;
        var size = (int)type.SizeOf(Math.Min(step, weights.shape[0]));
        var buffer = ArrayPool<byte>.Shared.Rent(size);
        try
        {
            for (long first = 0; first < weights.shape[0]; first += step)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var count = Math.Min(step, weights.shape[0] - first);
                var bytes = buffer.AsMemory(0, (int)type.SizeOf(count));
                using (var part = weights.narrow(0, first, count))
                    type.EncodeAll(MemoryMarshal.Cast<byte, float>(part.bytes), bytes.Span);
                await file.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
