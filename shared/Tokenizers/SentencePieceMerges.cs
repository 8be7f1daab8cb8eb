using System.Text;

namespace Espalier.Tokenizers;

/// <summary>
/// SentencePiece's byte-pair encoding: joins the neighbours whose piece has the highest score, leftmost on ties. User-defined pieces are
/// found first and never joined.
/// </summary>
internal sealed class SentencePieceMerges
{
    private readonly SentencePieceFile _file;
    private readonly ByteTrie _userDefined;
    private readonly Dictionary<string, int> _symbols = new(StringComparer.Ordinal);
    private readonly MergeTable _merges;
    private readonly int[] _characters; // of each piece

    public SentencePieceMerges(SentencePieceFile file, ByteTrie userDefined)
    {
        (_file, _userDefined) = (file, userDefined);
        var joined = Enumerable.Range(0, file.Pieces.Count)
            .Where(id => file.Pieces[id].Kind is PieceKind.Normal or PieceKind.UserDefined).ToList();
        foreach (var id in joined)
            _symbols.Add(file.Pieces[id].Text, id);
        // Characters within pieces may have none of their own: they get numbers behind the ids.
        var next = file.Pieces.Count;
        foreach (var rune in joined.SelectMany(id => file.Pieces[id].Text.EnumerateRunes()).Select(rune => rune.ToString()))
        {
            if (_symbols.TryAdd(rune, next))
                next++;
        }
        _merges = new MergeTable(Merges(joined));
        _characters = [.. file.Pieces.Select(piece => piece.Text.EnumerateRunes().Count())];
    }

    /// <summary>Ids and bytes of the pieces of a normalized text; the unknown id where there is none.</summary>
    public List<(int Id, int Length)> Cut(ReadOnlySpan<byte> text)
    {
        var pieces = new List<(int, int)>();
        var (symbols, characters) = (new List<int>(), new List<int>());
        for (var at = 0; at < text.Length;)
        {
            var length = _userDefined.LongestPrefix(text[at..], out var id);
            if (length > 0)
            {
                Flush();
                pieces.Add((id, length));
            }
            else
            {
                Rune.DecodeFromUtf8(text[at..], out var rune, out length);
                symbols.Add(_symbols.GetValueOrDefault(rune.ToString(), int.MaxValue));
                characters.Add(length);
            }
            at += length;
        }
        Flush();
        return pieces;

        void Flush()
        {
            var span = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(symbols);
            var count = _merges.Apply(span);
            var character = 0;
            foreach (var symbol in span[..count])
            {
                var isPiece = symbol < _characters.Length;
                var length = 0;
                for (var end = character + (isPiece ? _characters[symbol] : 1); character < end; character++)
                    length += characters[character];
                pieces.Add((isPiece ? symbol : _file.Unknown, length));
            }
            symbols.Clear();
            characters.Clear();
        }
    }

    // Every pair of symbols that spells a piece; equal scores are equal ranks.
    private IEnumerable<(int Left, int Right, int Rank, int Id)> Merges(List<int> joined)
    {
        var ranks = joined.Select(id => _file.Pieces[id].Score).Distinct().OrderDescending().Select((score, rank) => (score, rank))
            .ToDictionary(pair => pair.score, pair => pair.rank);
        foreach (var id in joined)
        {
            var (text, score, _) = _file.Pieces[id];
            for (var cut = 1; cut < text.Length; cut++)
            {
                if (!char.IsLowSurrogate(text[cut])
                    && _symbols.TryGetValue(text[..cut], out var left) && _symbols.TryGetValue(text[cut..], out var right))
                    yield return (left, right, ranks[score], id);
            }
        }
    }
}
