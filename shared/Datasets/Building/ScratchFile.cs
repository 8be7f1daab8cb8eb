using Microsoft.Win32.SafeHandles;

namespace Espalier.Datasets.Building;

/// <summary>
/// Bytes on disk that only this process needs: written at the end, read anywhere. Where the system allows it the file has no name any more
/// as soon as it is open, so a killed process leaves nothing behind.
/// </summary>
internal sealed class ScratchFile : IDisposable
{
    private const int BufferBytes = 1 << 20;

    private readonly SafeFileHandle _handle;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _buffered;
    private long _written;

    /// <summary>An empty file.</summary>
    /// <param name="folder">Where it is; made when missing.</param>
    public ScratchFile(string folder)
    {
        var path = Path.Combine(Directory.CreateDirectory(folder).FullName, $"{Guid.NewGuid():N}.scratch");
        _handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete, FileOptions.DeleteOnClose);
        if (!OperatingSystem.IsWindows())
            File.Delete(path);
    }

    /// <summary>Bytes so far.</summary>
    public long Length => _written + _buffered;

    /// <summary>Adds bytes at the end.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (_buffered == BufferBytes)
                Flush();
            var count = Math.Min(bytes.Length, BufferBytes - _buffered);
            bytes[..count].CopyTo(_buffer.AsSpan(_buffered));
            _buffered += count;
            bytes = bytes[count..];
        }
    }

    /// <summary>Writes what is buffered, so that it can be read.</summary>
    public void Flush()
    {
        RandomAccess.Write(_handle, _buffer.AsSpan(0, _buffered), _written);
        _written += _buffered;
        _buffered = 0;
    }

    /// <summary>Fills a span from a position on; everything before it must have been flushed.</summary>
    /// <exception cref="EndOfStreamException">There are fewer bytes.</exception>
    public void ReadExactly(long position, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            var read = RandomAccess.Read(_handle, destination, position);
            if (read == 0)
                throw new EndOfStreamException("A scratch file is shorter than what was written to it.");
            position += read;
            destination = destination[read..];
        }
    }

    public void Dispose() => _handle.Dispose();
}
