using System.Text;
using Espalier.Contracts;
using Espalier.Tokenizers;

namespace Espalier.Evaluator.Texts;

/// <summary>One held-out document.</summary>
/// <param name="Domain">Index of its domain.</param>
/// <param name="Id">Its name within the dataset.</param>
/// <param name="Text">Its text.</param>
internal sealed record HeldOutDocument(int Domain, string Id, string Text)
{
    /// <summary>Length in UTF-8.</summary>
    public int Bytes { get; } = Encoding.UTF8.GetByteCount(Text);
}

/// <summary>The documents that every model is scored on, whatever its tokenizer.</summary>
/// <param name="Domains">Names of the domains.</param>
/// <param name="Documents">Documents ordered by domain.</param>
internal sealed record HeldOutText(IReadOnlyList<string> Domains, IReadOnlyList<HeldOutDocument> Documents)
{
    /// <summary>Name of the corpus that they are of; null for other text.</summary>
    public string? Corpus { get; init; }

    /// <summary>UTF-8 bytes of all documents.</summary>
    public long Bytes => Documents.Sum(document => (long)document.Bytes);

    /// <summary>Takes documents from the domains in turn until a limit is reached; with a limit of tokens the last one is cut to stay within it.</summary>
    /// <exception cref="UserInputException">Not even a character of the first document fits.</exception>
    public HeldOutText Take(long? maxDocuments, long? maxTokens, ITokenizer tokenizer)
    {
        if (maxDocuments is null && maxTokens is null)
            return this;
        var taken = new List<(HeldOutDocument Document, int Position)>();
        var left = maxTokens ?? long.MaxValue;
        foreach (var (document, position) in InTurn())
        {
            if (taken.Count == maxDocuments)
                break;
            var tokens = maxTokens is null ? 0 : ScoredTokens(document.Text, tokenizer);
            var kept = tokens <= left ? document : Cut(document, left, tokenizer);
            if (kept is not null)
                taken.Add((kept, position));
            if (tokens >= left)
                break;
            left -= tokens;
        }
        return taken.Count > 0
            ? this with { Documents = [.. taken.OrderBy(t => t.Position).Select(t => t.Document)] }
            : throw new UserInputException($"'max-tokens' is {maxTokens}: not even the first character of a document and its end token fit. Take more.");
    }

    /// <summary>One stream of tokens per domain that has documents.</summary>
    public IReadOnlyList<TokenStream> Tokenize(ITokenizer tokenizer) =>
    [
        .. Documents.Select((document, index) => (document, index))
            .GroupBy(entry => entry.document.Domain)
            .Select(domain => TokenStream.Of(domain.Key, domain.Select(entry => (entry.index, entry.document.Text)), tokenizer)),
    ];

    private IEnumerable<(HeldOutDocument Document, int Position)> InTurn() =>
        Documents.Select((document, position) => (document, position))
            .GroupBy(entry => entry.document.Domain)
            .SelectMany(domain => domain.Select((entry, rank) => (entry.document, entry.position, rank)))
            .OrderBy(entry => entry.rank).ThenBy(entry => entry.document.Domain)
            .Select(entry => (entry.document, entry.position));

    // The beginning-of-text token is read and not scored.
    private static int ScoredTokens(string text, ITokenizer tokenizer) => tokenizer.EncodeDocument(text).Length - (tokenizer.AddsBeginToken ? 1 : 0);

    // The longest beginning that fits, found by halving; null when none does. More text is not always more tokens, so the last step is checked.
    private static HeldOutDocument? Cut(HeldOutDocument document, long tokens, ITokenizer tokenizer)
    {
        var text = document.Text;
        var (fits, exceeds) = (0, text.Length);
        while (exceeds - fits > 1)
        {
            var middle = (fits + exceeds) / 2;
            (fits, exceeds) = ScoredTokens(text[..Whole(middle)], tokenizer) <= tokens ? (middle, exceeds) : (fits, middle);
        }
        fits = Whole(fits);
        return fits == 0 || ScoredTokens(text[..fits], tokenizer) > tokens ? null : new HeldOutDocument(document.Domain, document.Id, text[..fits]);

        int Whole(int length) => length > 0 && length < text.Length && char.IsHighSurrogate(text[length - 1]) ? length - 1 : length;
    }
}
