using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Espalier.Datasets.Building;

namespace Espalier.Datasets.Tokens;

/// <summary>
/// The token ids of one domain of one split, memory-mapped. Little-endian:
/// <code>
/// 8 magic | 4 bytes per token (2 or 4) | 4 documents D | 8 tokens N | 32 key | 32 sha256 of the rest | 32 sha256 of the 88 bytes before
/// D x (4 tokens with the end token, 4 UTF-8 bytes)  |  N ids
/// </code>
/// The key says what it was derived from. A file whose digests do not match is treated as absent.
/// </summary>
internal sealed class TokenFile : IDisposable
{
    private const int HeaderBytes = 120;
    private const int DocumentBytes = 8;
    private const int PartBytes = 1 << 20;
    private static ReadOnlySpan<byte> Magic => "ESPTOK\0\u0001"u8;

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly int _width;
    private readonly long _tokensAt;

    private TokenFile(MemoryMappedFile file, MemoryMappedViewAccessor view, Header header)
    {
        _file = file;
        _view = view;
        _width = header.Width;
        _tokensAt = HeaderBytes + (long)header.Documents * DocumentBytes;
        Tokens = header.Tokens;
        Documents = ReadDocuments(header.Documents);
    }

    /// <summary>Number of ids.</summary>
    public long Tokens { get; }

    /// <summary>Where each document lies.</summary>
    public IReadOnlyList<TokenizedDocument> Documents { get; }

    /// <summary>Maps a file, or returns null when it is absent, damaged, or derived from something else.</summary>
    public static TokenFile? TryOpen(string path, ReadOnlySpan<byte> key)
    {
        if (!File.Exists(path) || ReadValidHeader(path) is not { } header || !key.SequenceEqual(header.Key))
            return null;
        var file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        return new TokenFile(file, file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read), header);
    }

    /// <summary>
    /// Writes a file under a temporary name and moves it into place, so that nobody sees half of it. Ids lie on disk meanwhile; in memory
    /// are eight bytes a document.
    /// </summary>
    /// <param name="path">Where it goes.</param>
    /// <param name="key">32 bytes that say what it is derived from.</param>
    /// <param name="vocabularySize">Decides between 2 and 4 bytes per id.</param>
    /// <param name="documents">Ids (with the tokens around them) and text bytes of each document, in order.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public static async Task WriteAsync(
        string path, byte[] key, int vocabularySize, IAsyncEnumerable<(int[] Ids, int SizeBytes)> documents, CancellationToken cancellationToken)
    {
        var width = vocabularySize <= ushort.MaxValue + 1 ? 2 : 4;
        using var ids = new ScratchFile(Path.GetDirectoryName(path)!);
        var index = new List<(int Tokens, int SizeBytes)>();
        await foreach (var (document, sizeBytes) in documents.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            index.Add((document.Length, sizeBytes));
            if (width == 4)
                ids.Append(MemoryMarshal.AsBytes(document.AsSpan()));
            else
                ids.Append(MemoryMarshal.AsBytes(Array.ConvertAll(document, id => checked((ushort)id)).AsSpan()));
        }
        ids.Flush();
        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256))
            {
                var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20, useAsync: true);
                await using (stream.ConfigureAwait(false))
                {
                    stream.Position = HeaderBytes;
                    foreach (var part in Parts(index, ids))
                    {
                        hash.AppendData(part.Span);
                        await stream.WriteAsync(part, cancellationToken).ConfigureAwait(false);
                    }
                    stream.Position = 0;
                    var header = new Header(width, index.Count, ids.Length / width, key, hash.GetHashAndReset());
                    await stream.WriteAsync(header.ToBytes(), cancellationToken).ConfigureAwait(false);
                }
            }
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Copies ids from a position on.</summary>
    public void Read(long position, Span<int> destination)
    {
        if (position < 0 || position > Tokens - destination.Length)
            throw new ArgumentOutOfRangeException(nameof(position), $"Tokens {position} to {position + destination.Length} of {Tokens}.");
        var at = (ulong)(_tokensAt + position * _width);
        if (_width == 4)
        {
            _view.SafeMemoryMappedViewHandle.ReadSpan(at, destination);
            return;
        }
        var narrow = new ushort[destination.Length];
        _view.SafeMemoryMappedViewHandle.ReadSpan(at, narrow.AsSpan());
        for (var i = 0; i < narrow.Length; i++)
            destination[i] = narrow[i];
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }

    private TokenizedDocument[] ReadDocuments(int count)
    {
        var documents = new TokenizedDocument[count];
        var start = 0L;
        for (var i = 0; i < count; i++)
        {
            var tokens = _view.ReadInt32(HeaderBytes + (long)i * DocumentBytes);
            documents[i] = new TokenizedDocument(start, tokens, _view.ReadInt32(HeaderBytes + (long)i * DocumentBytes + 4));
            start += tokens;
        }
        return documents;
    }

    private static IEnumerable<ReadOnlyMemory<byte>> Parts(List<(int Tokens, int SizeBytes)> index, ScratchFile ids)
    {
        var buffer = new byte[PartBytes];
        foreach (var entries in index.Chunk(PartBytes / DocumentBytes))
        {
            for (var i = 0; i < entries.Length; i++)
            {
                BinaryPrimitives.WriteInt32LittleEndian(buffer.AsSpan(i * DocumentBytes), entries[i].Tokens);
                BinaryPrimitives.WriteInt32LittleEndian(buffer.AsSpan(i * DocumentBytes + 4), entries[i].SizeBytes);
            }
            yield return buffer.AsMemory(0, entries.Length * DocumentBytes);
        }
        for (var at = 0L; at < ids.Length; at += PartBytes)
        {
            var part = buffer.AsMemory(0, (int)Math.Min(PartBytes, ids.Length - at));
            ids.ReadExactly(at, part.Span);
            yield return part;
        }
    }

    // Lengths are checked against the file before anything is allocated from them.
    private static Header? ReadValidHeader(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1 << 20, FileOptions.SequentialScan);
        var bytes = new byte[HeaderBytes];
        if (stream.ReadAtLeast(bytes, HeaderBytes, throwOnEndOfStream: false) < HeaderBytes || Header.Parse(bytes) is not { } header)
            return null;
        var expected = HeaderBytes + (long)header.Documents * DocumentBytes + header.Tokens * header.Width;
        return stream.Length == expected && SHA256.HashData(stream).AsSpan().SequenceEqual(header.PayloadHash) ? header : null;
    }

    private sealed record Header(int Width, int Documents, long Tokens, byte[] Key, byte[] PayloadHash)
    {
        private const int HashedBytes = HeaderBytes - SHA256.HashSizeInBytes;

        public byte[] ToBytes()
        {
            var bytes = new byte[HeaderBytes];
            Magic.CopyTo(bytes);
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), Width);
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), Documents);
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), Tokens);
            Key.CopyTo(bytes, 24);
            PayloadHash.CopyTo(bytes, 56);
            SHA256.HashData(bytes.AsSpan(0, HashedBytes), bytes.AsSpan(HashedBytes));
            return bytes;
        }

        public static Header? Parse(byte[] bytes)
        {
            if (!bytes.AsSpan(0, 8).SequenceEqual(Magic) || !SHA256.HashData(bytes.AsSpan(0, HashedBytes)).AsSpan().SequenceEqual(bytes.AsSpan(HashedBytes)))
                return null;
            return new Header(
                BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(8)),
                BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(12)),
                BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(16)),
                bytes[24..56],
                bytes[56..HashedBytes]);
        }
    }
}
