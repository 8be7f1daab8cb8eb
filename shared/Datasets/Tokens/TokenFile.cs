using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

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

    /// <summary>Writes a file under a temporary name and moves it into place, so that nobody sees half of it.</summary>
    /// <param name="path">Where it goes.</param>
    /// <param name="key">32 bytes that say what it is derived from.</param>
    /// <param name="vocabularySize">Decides between 2 and 4 bytes per id.</param>
    /// <param name="documents">Ids (with the end token) and text bytes of each document, in order.</param>
    public static async Task WriteAsync(
        string path, byte[] key, int vocabularySize, IReadOnlyList<(int[] Ids, int SizeBytes)> documents, CancellationToken cancellationToken)
    {
        var width = vocabularySize <= ushort.MaxValue + 1 ? 2 : 4;
        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256))
            {
                var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20, useAsync: true);
                await using (stream.ConfigureAwait(false))
                {
                    stream.Position = HeaderBytes;
                    foreach (var part in Parts(documents, width))
                    {
                        hash.AppendData(part.Span);
                        await stream.WriteAsync(part, cancellationToken).ConfigureAwait(false);
                    }
                    stream.Position = 0;
                    var header = new Header(width, documents.Count, documents.Sum(d => (long)d.Ids.Length), key, hash.GetHashAndReset());
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

    private static IEnumerable<ReadOnlyMemory<byte>> Parts(IReadOnlyList<(int[] Ids, int SizeBytes)> documents, int width)
    {
        var index = new byte[documents.Count * DocumentBytes];
        for (var i = 0; i < documents.Count; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(index.AsSpan(i * DocumentBytes), documents[i].Ids.Length);
            BinaryPrimitives.WriteInt32LittleEndian(index.AsSpan(i * DocumentBytes + 4), documents[i].SizeBytes);
        }
        yield return index;
        foreach (var (ids, _) in documents)
        {
            yield return width == 4
                ? MemoryMarshal.AsBytes(ids.AsSpan()).ToArray()
                : MemoryMarshal.AsBytes(Array.ConvertAll(ids, id => checked((ushort)id)).AsSpan()).ToArray();
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
