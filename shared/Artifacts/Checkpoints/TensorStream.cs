namespace Espalier.Artifacts.Checkpoints;

/// <summary>A range of one tensor's bytes as a stream, for tensors too large to hold; calls back with every chunk it hands out.</summary>
internal sealed class TensorStream(ITensorBytes source, string name, long offset, long length, Action<long, ReadOnlySpan<byte>>? onRead = null) : Stream
{
    private long _position;

    /// <summary>The whole tensor.</summary>
    public TensorStream(ITensorBytes source, string name, Action<long, ReadOnlySpan<byte>> onRead)
        : this(source, name, 0, source.Describe(name).SizeBytes, onRead)
    {
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position { get => _position; set => throw new NotSupportedException("Tensors stream forward only."); }

    public override int Read(Span<byte> buffer)
    {
        // Whole multiples of the widest element, so that no element is cut by a chunk.
        var wanted = (int)Math.Min(buffer.Length >= 8 ? buffer.Length & ~7 : buffer.Length, length - _position);
        var chunk = buffer[..wanted];
        source.ReadRange(name, offset + _position, chunk);
        onRead?.Invoke(_position, chunk);
        _position += wanted;
        return wanted;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("Tensors stream forward only.");

    public override void SetLength(long value) => throw new NotSupportedException("Tensors are read-only.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Tensors are read-only.");
}
