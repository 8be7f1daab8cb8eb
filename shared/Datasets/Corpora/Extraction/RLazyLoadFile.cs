using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Espalier.Datasets.Corpora.Extraction;

/// <summary>
/// String vectors in an R lazy-load data file (<c>.rdb</c>): records of a big-endian length and a zlib stream, each one
/// object in R's XDR serialization. A string vector is type 16, a count, then per string flags (low byte 9), a length
/// (-1 for NA) and the bytes.
/// </summary>
internal static class RLazyLoadFile
{
    private const int SerializationHeaderBytes = 14;
    private const int MaxObjectBytes = 64 << 20;
    private const int StringVectorType = 16;
    private const int StringType = 9;

    /// <summary>The string vectors, in file order.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static IEnumerable<IReadOnlyList<string>> ReadStringVectors(byte[] file)
    {
        using var stream = new OneByteStream(file);
        var length = new byte[4];
        while (stream.ReadAtLeast(length, 4, throwOnEndOfStream: false) == 4)
        {
            var size = BinaryPrimitives.ReadInt32BigEndian(length);
            if (size is < 0 or > MaxObjectBytes)
                throw new InvalidDataException($"an object of {size} bytes");
            var content = new byte[size];
            using (var zlib = new ZLibStream(stream, CompressionMode.Decompress, leaveOpen: true))
            {
                zlib.ReadExactly(content);
                if (zlib.ReadByte() >= 0) // Also takes the checksum in, up to the next record.
                    throw new InvalidDataException($"an object of more than the {size} bytes it claims");
            }
            yield return ReadStringVector(content);
        }
    }

    private static List<string> ReadStringVector(byte[] content)
    {
        var at = content.AsSpan(SerializationHeaderBytes).IndexOf<byte>([0, 0, 0, StringVectorType]);
        if (at < 0)
            throw new InvalidDataException("an object that is not a vector of strings");
        at += SerializationHeaderBytes + 4;
        var count = ReadInt32(content, ref at);
        var strings = new List<string>();
        for (var i = 0; i < count; i++)
        {
            if ((ReadInt32(content, ref at) & 0xFF) != StringType)
                throw new InvalidDataException($"no string where string {i} should be");
            var size = ReadInt32(content, ref at);
            if (size == -1)
                continue;
            if (size < 0 || size > content.Length - at)
                throw new InvalidDataException($"string {i} has {size} bytes");
            strings.Add(Encoding.UTF8.GetString(content, at, size));
            at += size;
        }
        return strings;
    }

    private static int ReadInt32(byte[] content, ref int at)
    {
        if (at > content.Length - 4)
            throw new InvalidDataException("it ends too early");
        at += 4;
        return BinaryPrimitives.ReadInt32BigEndian(content.AsSpan(at - 4));
    }

    // The inflater reads ahead; giving it one byte at a time leaves the position where the zlib stream ends.
    private sealed class OneByteStream(byte[] bytes) : Stream
    {
        private int _position;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => _position; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            if (_position >= bytes.Length || buffer.Length == 0)
                return 0;
            buffer[0] = bytes[_position++];
            return 1;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
