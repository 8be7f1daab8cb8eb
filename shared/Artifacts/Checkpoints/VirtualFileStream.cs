using Espalier.Artifacts.Blobs;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>Reads a <see cref="VirtualFile"/>, from any position, without holding more than the caller's buffer.</summary>
public sealed class VirtualFileStream(IBlobStore blobs, VirtualFile file) : Stream
{
    private long _position;
    private Stream? _blob;
    private int _open = -1;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => true;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => file.SizeBytes;

    /// <inheritdoc/>
    public override long Position
    {
        get => _position;
        set => Seek(value, SeekOrigin.Begin);
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_position >= Length || buffer.Length == 0)
            return 0;
        var index = PartAt(_position);
        var part = file.Parts[index];
        var within = _position - part.Start;
        var wanted = (int)Math.Min(buffer.Length, part.Length - within);
        int read;
        if (part.Blob.IsEmpty)
        {
            part.Bytes.Slice((int)within, wanted).CopyTo(buffer);
            read = wanted;
        }
        else
        {
            if (_open != index)
            {
                await CloseAsync().ConfigureAwait(false);
                _blob = await blobs.OpenReadAsync(part.Blob, part.Offset + within, part.Length - within, cancellationToken).ConfigureAwait(false);
                _open = index;
            }
            read = await _blob!.ReadAsync(buffer[..wanted], cancellationToken).ConfigureAwait(false);
            if (read == 0)
                throw new EndOfStreamException($"The blob {part.Blob.Short} ends before the tensor in it.");
        }
        _position += read;
        return read;
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read it asynchronously.");

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin)
    {
        var target = origin switch { SeekOrigin.Begin => offset, SeekOrigin.Current => _position + offset, _ => Length + offset };
        ArgumentOutOfRangeException.ThrowIfNegative(target);
        if (target != _position)
        {
            _blob?.Dispose();
            (_blob, _open) = (null, -1);
        }
        return _position = target;
    }

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException("Files of versions are read-only.");

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Files of versions are read-only.");

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await CloseAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _blob?.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask CloseAsync()
    {
        if (_blob is not null)
            await _blob.DisposeAsync().ConfigureAwait(false);
        (_blob, _open) = (null, -1);
    }

    private int PartAt(long position)
    {
        var (low, high) = (0, file.Parts.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (file.Parts[middle].Start <= position)
                low = middle;
            else
                high = middle - 1;
        }
        return low;
    }
}
