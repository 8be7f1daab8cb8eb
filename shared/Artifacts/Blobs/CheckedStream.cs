using System.Security.Cryptography;
using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// A blob's bytes, forward only, hashed on the way. Its last bytes are given out only when the digest is right, so that whoever
/// reads as many as it has cannot miss that they are wrong.
/// </summary>
/// <param name="inner">The bytes, which this stream closes.</param>
/// <param name="length">How many there are.</param>
/// <param name="conclude">Gets the digest of all bytes, and throws when it is wrong.</param>
internal sealed class CheckedStream(Stream inner, long length, Action<Digest> conclude) : Stream
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _position;
    private bool _isConcluded;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position { get => _position; set => throw new NotSupportedException("A blob streams forward only."); }

    public override int Read(Span<byte> buffer)
    {
        var read = inner.Read(buffer);
        Take(buffer[..read], buffer.Length);
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        Take(buffer.Span[..read], buffer.Length);
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("A blob streams forward only.");

    public override void SetLength(long value) => throw new NotSupportedException("A blob never changes.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("A blob never changes.");

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
            _hash.Dispose();
        }
        base.Dispose(disposing);
    }

    private void Take(ReadOnlySpan<byte> read, int wanted)
    {
        if (_isConcluded)
            return;
        _hash.AppendData(read);
        _position += read.Length;
        if (_position < length && (read.Length > 0 || wanted == 0))
            return;
        _isConcluded = true;
        conclude(Digest.FromHash(_hash.GetHashAndReset()));
    }
}
