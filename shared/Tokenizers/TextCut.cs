using System.Text.RegularExpressions;

namespace Espalier.Tokenizers;

/// <summary>
/// One step of a pre-tokenizer that is none of the patterns known by <see cref="SplitPattern"/>: cuts every piece further, at
/// the matches of an expression and between them. Steps run one after the other, and each sees one piece at a time.
/// </summary>
/// <param name="Expression">What to look for; null for the built-in GPT-2 pattern.</param>
/// <param name="KeepsMatches">Whether matches become pieces.</param>
/// <param name="KeepsRest">Whether the text between becomes pieces.</param>
internal sealed record TextCut(Regex? Expression, bool KeepsMatches = true, bool KeepsRest = true)
{
    /// <summary>Cuts a text by all steps.</summary>
    /// <exception cref="InvalidTokenizerException">An expression takes forever on this text.</exception>
    public static IReadOnlyList<string> Apply(IReadOnlyList<TextCut> steps, string text)
    {
        List<string> pieces = [text];
        try
        {
            foreach (var step in steps)
                pieces = [.. pieces.SelectMany(step.Cut)];
        }
        catch (RegexMatchTimeoutException exception)
        {
            throw new InvalidTokenizerException(
                $"{TokenizerFiles.Tokenizer}: the split '{exception.Pattern}' took more than {exception.MatchTimeout.TotalSeconds:0} seconds on one "
                + "piece of text.",
                exception);
        }
        return pieces;
    }

    private IEnumerable<string> Cut(string text)
    {
        var end = 0;
        foreach (var (start, length) in Expression is null ? BuiltIn(text) : Expression.Matches(text).Select(match => (match.Index, match.Length)))
        {
            if (length == 0)
                continue;
            if (start > end && KeepsRest)
                yield return text[end..start];
            if (KeepsMatches)
                yield return text.Substring(start, length);
            end = start + length;
        }
        if (end < text.Length && KeepsRest)
            yield return text[end..];
    }

    private static IEnumerable<(int Start, int Length)> BuiltIn(string text)
    {
        for (var start = 0; start < text.Length;)
        {
            var length = PieceScanner.NextPiece(text.AsSpan(start), SplitPattern.Gpt2);
            yield return (start, length);
            start += length;
        }
    }
}
