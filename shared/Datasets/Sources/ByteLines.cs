namespace Espalier.Datasets.Sources;

/// <summary>The lines of a stream as bytes, without their ends, one at a time.</summary>
internal sealed class ByteLines(Stream stream, int longest)
{
    private const int FirstBytes = 1 << 16;

    private byte[] _buffer = new byte[FirstBytes];
    private int _start;
    private int _end;
    private bool _hasEnded;

    /// <summary>The next line, valid until the next call; null at the end.</summary>
    /// <exception cref="LineTooLongException">A line is longer than the limit.</exception>
    public ReadOnlyMemory<byte>? Next()
    {
        for (var scanned = _start; ;)
        {
            var end = _buffer.AsSpan(scanned, _end - scanned).IndexOf((byte)'\n');
            if (end >= 0)
                return Take(scanned + end, next: scanned + end + 1);
            scanned = _end;
            if (_hasEnded)
                return _start < _end ? Take(_end, next: _end) : (ReadOnlyMemory<byte>?)null; // a bare null would become an empty line
            if (_end - _start > longest)
                throw new LineTooLongException();
            scanned -= MakeRoom();
            var read = stream.Read(_buffer, _end, _buffer.Length - _end);
            _end += read;
            _hasEnded = read == 0;
        }
    }

    private ReadOnlyMemory<byte> Take(int end, int next)
    {
        var line = _buffer.AsMemory(_start, end - _start);
        _start = next;
        return line;
    }

    /// <summary>Moves what is left to the front, or doubles the buffer; returns how far it moved.</summary>
    private int MakeRoom()
    {
        var moved = _start;
        if (moved == 0 && _end == _buffer.Length)
            Array.Resize(ref _buffer, _buffer.Length * 2);
        else if (moved > 0)
        {
            _buffer.AsSpan(moved, _end - moved).CopyTo(_buffer);
            (_start, _end) = (0, _end - moved);
        }
        return moved;
    }
}

/// <summary>A line is longer than anything that can be a document.</summary>
internal sealed class LineTooLongException : Exception;
