using System.Text;

namespace Espalier.Tokenizers;

/// <summary>
/// The likeliest cut of a text into pieces (Kudo, arXiv 1804.10959): Viterbi over the sum of log-probabilities, in the arithmetic of the
/// reference so that ties fall alike. A character without a piece costs 10 more than the least likely piece.
/// </summary>
internal sealed class SentencePieceUnigram
{
    private const float UnknownPenalty = 10;
    private const double UserDefinedDiscount = 0.1;

    private readonly SentencePieceFile _file;
    private readonly ByteTrie _pieces = new();
    private readonly float _highest, _unknownScore;

    public SentencePieceUnigram(SentencePieceFile file)
    {
        _file = file;
        for (var id = 0; id < file.Pieces.Count; id++)
        {
            if (file.Pieces[id].Kind is PieceKind.Normal or PieceKind.UserDefined or PieceKind.Unused)
                _pieces.Add(Encoding.UTF8.GetBytes(file.Pieces[id].Text), id);
        }
        var scores = file.Pieces.Where(piece => piece.Kind == PieceKind.Normal).Select(piece => piece.Score).DefaultIfEmpty(0).ToList();
        (_highest, _unknownScore) = (scores.Max(), scores.Min() - UnknownPenalty);
    }

    /// <summary>Ids and bytes of the pieces of a normalized text; the unknown id where there is none.</summary>
    public List<(int Id, int Length)> Cut(ReadOnlySpan<byte> text)
    {
        var best = new (int Id, float Score, int Start)[text.Length + 1];
        Array.Fill(best, (-1, 0, -1));
        for (var start = 0; start < text.Length;)
        {
            var here = best[start].Score;
            var character = CharacterLength(text[start..]);
            var hasCharacter = false;
            var node = 0;
            for (var end = start; end < text.Length && _pieces.TryStep(ref node, text[end], out var found);)
            {
                end++;
                if (found is not { } id || _file.Pieces[id].Kind == PieceKind.Unused)
                    continue;
                double score = _file.Pieces[id].Kind == PieceKind.UserDefined
                    ? (end - start) * _highest - UserDefinedDiscount
                    : _file.Pieces[id].Score;
                Offer(end, score + here, id);
                hasCharacter |= end - start == character;
            }
            if (!hasCharacter)
                Offer(start + character, (double)(_unknownScore + here), _file.Unknown);
            start += character;

            void Offer(int end, double score, int id)
            {
                if (best[end].Start == -1 || score > best[end].Score)
                    best[end] = (id, (float)score, start);
            }
        }
        var pieces = new List<(int, int)>();
        for (var end = text.Length; end > 0; end = best[end].Start)
            pieces.Add((best[end].Id, end - best[end].Start));
        pieces.Reverse();
        return pieces;
    }

    private static int CharacterLength(ReadOnlySpan<byte> text)
    {
        Rune.DecodeFromUtf8(text, out _, out var length);
        return length;
    }
}
