using System.Runtime.InteropServices;
using System.Text;

namespace Espalier.Tokenizers;

/// <summary>
/// Learns merges: again and again joins the most frequent adjacent pair, counted over distinct pieces with their
/// multiplicity; ties go to the smaller (left id, right id). Same order of merges as the reference trainer. Pair counts
/// are kept up to date per merge, and the heap is corrected lazily, so a merge costs only the pieces it touches.
/// </summary>
internal sealed class BpeTrainer
{
    /// <summary>The token that ends a document, id 0.</summary>
    public const string EndToken = "<|endoftext|>";

    // A pair that occurs once says nothing about the next text.
    private const long MinimumCount = 2;

    private const int FirstByteId = 1;

    private readonly List<string> _tokens;
    private readonly Dictionary<string, int> _ids;
    private readonly List<(string, string)> _merges = [];
    private readonly List<Piece> _pieces = [];
    private readonly Dictionary<Pair, long> _counts = [];
    private readonly PriorityQueue<Candidate, (long Count, Pair Pair)> _candidates = new(Comparer<(long Count, Pair Pair)>.Create(
        (a, b) => a.Count != b.Count ? b.Count.CompareTo(a.Count) : a.Pair.CompareTo(b.Pair)));

    private BpeTrainer()
    {
        _tokens = [EndToken, .. ByteAlphabet.Sorted.Select(c => c.ToString())];
        _ids = _tokens.Select((token, id) => (token, id)).ToDictionary(t => t.token, t => t.id);
    }

    /// <summary>Learns a vocabulary of at most <paramref name="vocabularySize"/> ids.</summary>
    public static BpeDefinition Train(IEnumerable<string> texts, int vocabularySize, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, FirstByteId + 256);
        var trainer = new BpeTrainer();
        trainer.AddPieces(Count(texts, cancellationToken));
        trainer.Learn(vocabularySize, cancellationToken);
        return new BpeDefinition
        {
            Vocabulary = trainer._ids,
            Merges = trainer._merges,
            AddedTokens = [new AddedToken(0, EndToken, Special: true)],
        };
    }

    private static Dictionary<string, long> Count(IEnumerable<string> texts, CancellationToken cancellationToken)
    {
        var counts = new Dictionary<string, long>();
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var text in texts)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var rest = text.AsSpan();
            while (rest.Length > 0)
            {
                var length = PieceScanner.NextPiece(rest, SplitPattern.Gpt2);
                CollectionsMarshal.GetValueRefOrAddDefault(lookup, rest[..length], out _)++;
                rest = rest[length..];
            }
        }
        return counts;
    }

    // Everything below depends on the counts alone; sorting makes it independent of the order of the texts.
    private void AddPieces(Dictionary<string, long> counts)
    {
        var byteIds = Enumerable.Range(0, 256).Select(b => _ids[ByteAlphabet.ToCharacter((byte)b).ToString()]).ToArray();
        var occurrences = new Dictionary<Pair, List<int>>();
        foreach (var (text, count) in counts.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            var symbols = Array.ConvertAll(Encoding.UTF8.GetBytes(text), b => byteIds[b]);
            for (var i = 0; i + 1 < symbols.Length; i++)
                Add(new Pair(symbols[i], symbols[i + 1]), count, _pieces.Count, occurrences);
            _pieces.Add(new Piece(symbols, count));
        }
        Offer(occurrences);
    }

    private void Learn(int vocabularySize, CancellationToken cancellationToken)
    {
        while (_tokens.Count < vocabularySize && _candidates.TryDequeue(out var best, out var priority))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = _counts[best.Pair];
            if (count != priority.Count)
            {
                _candidates.Enqueue(best, (count, best.Pair));
                continue;
            }
            if (count < MinimumCount)
                break;
            Join(best);
        }
    }

    private void Join(Candidate best)
    {
        var (left, right) = (_tokens[best.Pair.Left], _tokens[best.Pair.Right]);
        if (!_ids.TryGetValue(left + right, out var id))
        {
            id = _tokens.Count;
            _tokens.Add(left + right);
            _ids.Add(left + right, id);
        }
        _merges.Add((left, right));

        var occurrences = new Dictionary<Pair, List<int>>();
        foreach (var index in best.Pieces)
            Join(index, best.Pair, id, occurrences);
        Offer(occurrences);
    }

    private void Join(int index, Pair pair, int id, Dictionary<Pair, List<int>> occurrences)
    {
        var piece = _pieces[index];
        var symbols = piece.Symbols.AsSpan(0, piece.Length);
        var written = 0;
        for (var read = 0; read < symbols.Length; read++)
        {
            var joins = read + 1 < symbols.Length && symbols[read] == pair.Left && symbols[read + 1] == pair.Right;
            if (!joins)
            {
                symbols[written++] = symbols[read];
                continue;
            }
            if (written > 0)
            {
                Add(new Pair(symbols[written - 1], pair.Left), -piece.Count, index, occurrences);
                Add(new Pair(symbols[written - 1], id), piece.Count, index, occurrences);
            }
            read++;
            if (read + 1 < symbols.Length)
            {
                Add(new Pair(pair.Right, symbols[read + 1]), -piece.Count, index, occurrences);
                Add(new Pair(id, symbols[read + 1]), piece.Count, index, occurrences);
            }
            symbols[written++] = id;
        }
        piece.Length = written;
    }

    private void Add(Pair pair, long change, int piece, Dictionary<Pair, List<int>> occurrences)
    {
        CollectionsMarshal.GetValueRefOrAddDefault(_counts, pair, out _) += change;
        if (change <= 0)
            return;
        ref var pieces = ref CollectionsMarshal.GetValueRefOrAddDefault(occurrences, pair, out _);
        pieces ??= [];
        if (pieces.Count == 0 || pieces[^1] != piece)
            pieces.Add(piece);
    }

    private void Offer(Dictionary<Pair, List<int>> occurrences)
    {
        foreach (var (pair, pieces) in occurrences)
        {
            if (_counts[pair] > 0)
                _candidates.Enqueue(new Candidate(pair, pieces), (_counts[pair], pair));
        }
    }

    private readonly record struct Pair(int Left, int Right) : IComparable<Pair>
    {
        public int CompareTo(Pair other) => Left != other.Left ? Left.CompareTo(other.Left) : Right.CompareTo(other.Right);

        public override int GetHashCode() => (int)(((ulong)(uint)Left * 0x9E3779B97F4A7C15 ^ (ulong)(uint)Right * 0xC2B2AE3D27D4EB4F) >> 32);
    }

    private sealed record Candidate(Pair Pair, List<int> Pieces);

    private sealed class Piece(int[] symbols, long count)
    {
        public int[] Symbols { get; } = symbols;

        public long Count { get; } = count;

        public int Length { get; set; } = symbols.Length;
    }
}
