namespace Espalier.Datasets.Sources;

/// <summary>Text as it is read, with every line end as a line feed.</summary>
internal sealed class UnixText(TextReader reader) : IDisposable
{
    private bool _endsInReturn;

    /// <summary>Fills as much of a span as there is text for; less only at the end.</summary>
    public int ReadBlock(Span<char> destination)
    {
        var filled = 0;
        while (filled < destination.Length)
        {
            var rest = destination[filled..];
            var read = reader.Read(rest);
            if (read == 0)
                break;
            filled += Convert(rest[..read]);
        }
        return filled;
    }

    public void Dispose() => reader.Dispose();

    /// <summary>Converts in place; returns the new length.</summary>
    private int Convert(Span<char> text)
    {
        var length = 0;
        foreach (var character in text)
        {
            if (!(character == '\n' && _endsInReturn))
                text[length++] = character == '\r' ? '\n' : character;
            _endsInReturn = character == '\r';
        }
        return length;
    }
}
