using Espalier.Tokenizers;

namespace Espalier.Evaluator.Texts;

/// <summary>
/// The documents of one domain one after another, each followed by the end token, cut into disjoint windows. The first
/// token of a window is conditioned on the token before it (the very first on an end token), so every token is scored
/// exactly once; tokens of a window see the earlier ones of the same window, across document borders too. Where the tokenizer
/// adds a beginning-of-text token it stands before every document, in place of the end token before the first; it is never scored.
/// (The rolling log-likelihood of lm-evaluation-harness with context_len = 1, over packed documents.)
/// </summary>
/// <param name="Domain">Index of the domain.</param>
/// <param name="Tokens">Token ids.</param>
/// <param name="Documents">For each token, the index of its document, or <see cref="NotScored"/>.</param>
/// <param name="First">Token in front of the stream.</param>
internal sealed record TokenStream(int Domain, long[] Tokens, int[] Documents, int First)
{
    /// <summary>In place of a document: the token is read, and not scored.</summary>
    public const int NotScored = -1;

    /// <summary>Tokens that are scored.</summary>
    public long Scored => Documents.LongCount(document => document != NotScored);

    /// <summary>Tokenizes documents in order.</summary>
    /// <param name="domain">Index of the domain.</param>
    /// <param name="documents">Index and text of each document.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    public static TokenStream Of(int domain, IEnumerable<(int Index, string Text)> documents, ITokenizer tokenizer)
    {
        var begin = tokenizer.AddsBeginToken ? tokenizer.BeginTokenId : null;
        var tokens = new List<long> { begin ?? tokenizer.EndTokenId };
        var owners = new List<int> { NotScored };
        foreach (var (index, text) in documents)
        {
            var ids = tokenizer.EncodeDocument(text).AsSpan(begin is null ? 0 : 1);
            if (begin is { } id && tokens.Count > 1)
            {
                tokens.Add(id);
                owners.Add(NotScored);
            }
            foreach (var token in ids)
                tokens.Add(token);
            owners.AddRange(Enumerable.Repeat(index, ids.Length));
        }
        return new TokenStream(domain, [.. tokens.Skip(1)], [.. owners.Skip(1)], (int)tokens[0]);
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
        destination[0] = Start == 0 ? Stream.First : Stream.Tokens[Start - 1];
        Stream.Tokens.AsSpan(Start, Count - 1).CopyTo(destination[1..]);
    }

    /// <summary>What it should predict.</summary>
    public ReadOnlySpan<long> Targets => Stream.Tokens.AsSpan(Start, Count);

    /// <summary>The document of each target, or <see cref="TokenStream.NotScored"/>.</summary>
    public ReadOnlySpan<int> Documents => Stream.Documents.AsSpan(Start, Count);
}
