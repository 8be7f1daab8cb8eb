using Espalier.Contracts;

namespace Espalier.Datasets.Sources;

/// <summary>
/// Bytes of the user's file, from beginning to end, no more than a limit: a packed file of little may unpack to more than there is room
/// for, and a file can grow while it is read. What goes wrong names the file.
/// </summary>
internal sealed class BoundedStream(Stream inner, string path, long limit) : Stream
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
        try
        {
            _read += inner.Read(buffer) is var read && read <= limit - _read
                ? read
                : throw new UserInputException($"{path} gives more than {limit >> 30} GiB of text; cut it into files.");
            return read;
        }
        catch (IOException e) when (e is not EndOfStreamException)
        {
            throw new UserInputException($"{path} cannot be read: {e.Message}", e);
        }
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
