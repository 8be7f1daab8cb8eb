namespace Espalier.Tokenizers;

/// <summary>
/// Byte-pair merges: joins the adjacent pair of lowest rank, leftmost on ties, until none is left.
/// (Sennrich, Haddow, Birch: Neural Machine Translation of Rare Words with Subword Units, 2016.)
/// </summary>
internal sealed class MergeTable
{
    // Up to here rescanning the piece beats the bookkeeping of a heap.
    private const int ShortPiece = 40;

    private readonly Dictionary<ulong, (int Rank, int Id)> _merges;

    public MergeTable(BpeDefinition definition)
        : this(definition.MergesBySpelling ? BySpelling(definition.Vocabulary) : InOrder(definition))
    {
    }

    /// <summary>Any pairs, each with its rank and what it becomes.</summary>
    public MergeTable(IEnumerable<(int Left, int Right, int Rank, int Id)> merges)
    {
        _merges = [];
        foreach (var (left, right, rank, id) in merges)
            _merges[Key(left, right)] = (rank, id);
    }

    private static IEnumerable<(int Left, int Right, int Rank, int Id)> InOrder(BpeDefinition definition) =>
        definition.Merges.Select((merge, rank) =>
            (definition.Vocabulary[merge.Left], definition.Vocabulary[merge.Right], rank, definition.Vocabulary[merge.Left + merge.Right]));

    private static IEnumerable<(int Left, int Right, int Rank, int Id)> BySpelling(IReadOnlyDictionary<string, int> vocabulary)
    {
        foreach (var (token, id) in vocabulary)
        {
            for (var cut = 1; cut < token.Length; cut++)
            {
                if (vocabulary.TryGetValue(token[..cut], out var left) && vocabulary.TryGetValue(token[cut..], out var right))
                    yield return (left, right, id, id);
            }
        }
    }

    /// <summary>Joins symbols in place; returns how many are left.</summary>
    public int Apply(Span<int> symbols) => symbols.Length <= ShortPiece ? ApplyByScan(symbols) : ApplyByHeap(symbols);

    /// <summary>The plain definition: find the best pair, join it, start again. Quadratic.</summary>
    internal int ApplyByScan(Span<int> symbols)
    {
        var count = symbols.Length;
        while (true)
        {
            var (bestRank, bestId, bestAt) = (int.MaxValue, 0, -1);
            for (var i = 0; i + 1 < count; i++)
            {
                if (_merges.TryGetValue(Key(symbols[i], symbols[i + 1]), out var merge) && merge.Rank < bestRank)
                    (bestRank, bestId, bestAt) = (merge.Rank, merge.Id, i);
            }
            if (bestAt < 0)
                return count;
            symbols[bestAt] = bestId;
            symbols[(bestAt + 2)..count].CopyTo(symbols[(bestAt + 1)..]);
            count--;
        }
    }

    /// <summary>The same with a heap of pairs over a linked list. n log n.</summary>
    internal int ApplyByHeap(Span<int> symbols)
    {
        var ids = symbols.ToArray();
        var next = new int[ids.Length];
        var previous = new int[ids.Length];
        var heap = new PriorityQueue<(int At, int Left, int Right, int Id), (int Rank, int At)>(ids.Length);
        for (var i = 0; i < ids.Length; i++)
            (previous[i], next[i]) = (i - 1, i + 1 < ids.Length ? i + 1 : -1);
        for (var i = 0; i + 1 < ids.Length; i++)
            Offer(i);

        while (heap.TryDequeue(out var pair, out _))
        {
            var right = next[pair.At];
            if (right < 0 || ids[pair.At] != pair.Left || ids[right] != pair.Right)
                continue; // One of its halves has been joined to something else.
            ids[pair.At] = pair.Id;
            ids[right] = -1;
            next[pair.At] = next[right];
            if (next[right] >= 0)
                previous[next[right]] = pair.At;
            next[right] = -1;
            Offer(previous[pair.At]);
            Offer(pair.At);
        }

        var count = 0;
        for (var i = 0; i >= 0 && i < ids.Length; i = next[i])
            symbols[count++] = ids[i];
        return count;

        void Offer(int at)
        {
            if (at >= 0 && next[at] >= 0 && _merges.TryGetValue(Key(ids[at], ids[next[at]]), out var merge))
                heap.Enqueue((at, ids[at], ids[next[at]], merge.Id), (merge.Rank, at));
        }
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
}
