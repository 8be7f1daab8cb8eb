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
    /// <summary>UTF-8 bytes of all documents.</summary>
    public long Bytes => Documents.Sum(document => (long)document.Bytes);

    /// <summary>Takes documents from the domains in turn until a limit is reached; with a limit of tokens the last one is cut.</summary>
    public HeldOutText Take(long? maxDocuments, long? maxTokens, ITokenizer tokenizer)
    {
        if (maxDocuments is null && maxTokens is null)
            return this;
        var taken = new List<(HeldOutDocument Document, int Position)>();
        var left = maxTokens ?? long.MaxValue;
        foreach (var (document, position) in InTurn())
        {
            if (taken.Count == maxDocuments || left <= 0)
                break;
            var tokens = maxTokens is null ? 0 : tokenizer.Encode(document.Text).Length + 1;
            taken.Add((tokens <= left ? document : Cut(document, (double)left / tokens), position));
            left -= tokens;
        }
        return this with { Documents = [.. taken.OrderBy(t => t.Position).Select(t => t.Document)] };
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

    private static HeldOutDocument Cut(HeldOutDocument document, double share)
    {
        var length = Math.Max(1, (int)(document.Text.Length * share));
        if (char.IsHighSurrogate(document.Text[length - 1]) && length < document.Text.Length)
            length++;
        return new HeldOutDocument(document.Domain, document.Id, document.Text[..length]);
    }
}
