namespace Espalier.Tokenizers;

/// <summary>Byte sequences with a number each, found by their beginnings.</summary>
internal sealed class ByteTrie
{
    private const int None = -1;

    private readonly Dictionary<(int Node, byte Next), int> _edges = [];
    private readonly List<int> _values = [None];

    /// <summary>Adds a sequence.</summary>
    public void Add(ReadOnlySpan<byte> sequence, int value)
    {
        var node = 0;
        foreach (var next in sequence)
        {
            if (!_edges.TryGetValue((node, next), out var child))
            {
                child = _values.Count;
                _edges.Add((node, next), child);
                _values.Add(None);
            }
            node = child;
        }
        _values[node] = value;
    }

    /// <summary>Goes one byte on from a node, 0 at first.</summary>
    /// <returns>Whether any sequence goes on so.</returns>
    public bool TryStep(ref int node, byte next, out int? value)
    {
        value = null;
        if (!_edges.TryGetValue((node, next), out node))
            return false;
        if (_values[node] != None)
            value = _values[node];
        return true;
    }

    /// <summary>Bytes of the longest sequence at the start of a text; 0 for none.</summary>
    public int LongestPrefix(ReadOnlySpan<byte> text) => LongestPrefix(text, out _);

    /// <summary>Bytes of the longest sequence at the start of a text, and its number; 0 for none.</summary>
    public int LongestPrefix(ReadOnlySpan<byte> text, out int value)
    {
        var (length, node) = (0, 0);
        value = None;
        for (var i = 0; i < text.Length && TryStep(ref node, text[i], out var found); i++)
        {
            if (found is { } number)
                (length, value) = (i + 1, number);
        }
        return length;
    }
}
