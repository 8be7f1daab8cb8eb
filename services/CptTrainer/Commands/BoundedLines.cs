using System.Text;

namespace Espalier.CptTrainer.Commands;

/// <summary>
/// Lines of a text that may have very long ones: what is beyond the limit is left out. A carriage return ends a line too: progress bars use it.
/// </summary>
internal sealed class BoundedLines(TextReader text)
{
    /// <summary>Most characters of a line that are kept.</summary>
    public const int Longest = 16_384;

    private readonly char[] _buffer = new char[4096];
    private int _at, _end;

    /// <summary>The next line that is not empty, or null at the end.</summary>
    public async Task<string?> NextAsync()
    {
        var line = new StringBuilder();
        while (true)
        {
            if (_at == _end)
            {
                (_at, _end) = (0, await text.ReadAsync(_buffer).ConfigureAwait(false));
                if (_end == 0)
                    return line.Length > 0 ? line.ToString() : null;
            }
            var rest = _buffer.AsSpan(_at, _end - _at);
            var length = rest.IndexOfAny('\n', '\r') is var end and >= 0 ? end : rest.Length;
            line.Append(rest[..Math.Min(length, Longest - line.Length)]);
            _at += length;
            if (length == rest.Length)
                continue;
            _at++;
            if (line.Length > 0)
                return line.ToString();
        }
    }
}
