using Espalier.Tokenizers;

namespace Espalier.Evaluator.Texts;

/// <summary>
/// The documents of one domain one after another, each followed by the end token, cut into disjoint windows. The first
/// token of a window is conditioned on the token before it (the very first on an end token), so every token is scored
/// exactly once; tokens of a window see the earlier ones of the same window, across document borders too.
/// </summary>
/// <param name="Domain">Index of the domain.</param>
/// <param name="Tokens">Token ids.</param>
/// <param name="Documents">For each token, the index of its document.</param>
/// <param name="EndToken">Token in front of the stream.</param>
internal sealed record TokenStream(int Domain, long[] Tokens, int[] Documents, int EndToken)
{
    /// <summary>Tokenizes documents in order.</summary>
    /// <param name="domain">Index of the domain.</param>
    /// <param name="documents">Index and text of each document.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    public static TokenStream Of(int domain, IEnumerable<(int Index, string Text)> documents, ITokenizer tokenizer)
    {
        var tokens = new List<long>();
        var owners = new List<int>();
        foreach (var (index, text) in documents)
        {
            foreach (var id in tokenizer.Encode(text))
                tokens.Add(id);
            tokens.Add(tokenizer.EndTokenId);
            owners.AddRange(Enumerable.Repeat(index, tokens.Count - owners.Count));
        }
        return new TokenStream(domain, [.. tokens], [.. owners], tokenizer.EndTokenId);
    }

    /// <summary>The windows, in order; the last one may be shorter.</summary>
    public IEnumerable<Window> Windows(int length)
    {
        for (var start = 0; start < Tokens.Length; start += length)
            yield return new Window(this, start, Math.Min(length, Tokens.Length - start));
    }
}

/// <summary>Some consecutive tokens that are scored together.</summary>
internal readonly record struct Window(TokenStream Stream, int Start, int Count)
{
    /// <summary>What the model reads: the token before the window, then all but its last.</summary>
    public void CopyInputs(Span<long> destination)
    {
        destination[0] = Start == 0 ? Stream.EndToken : Stream.Tokens[Start - 1];
        Stream.Tokens.AsSpan(Start, Count - 1).CopyTo(destination[1..]);
    }

    /// <summary>What it should predict.</summary>
    public ReadOnlySpan<long> Targets => Stream.Tokens.AsSpan(Start, Count);

    /// <summary>The document of each target.</summary>
    public ReadOnlySpan<int> Documents => Stream.Documents.AsSpan(Start, Count);
}
