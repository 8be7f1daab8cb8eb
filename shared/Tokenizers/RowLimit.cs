namespace Espalier.Tokenizers;

/// <summary>
/// A tokenizer with added tokens beyond the model's embedding rows. Such files are common (tokens reserved for a later model): the model
/// runs, and a text that holds one of them is refused by its name.
/// </summary>
internal sealed class RowLimit : ITokenizer
{
    private const int MostNamed = 8;

    private readonly ITokenizer _inner;
    private readonly IReadOnlyDictionary<int, string> _beyond;

    private RowLimit(ITokenizer inner, int rows, IReadOnlyDictionary<int, string> beyond) => (_inner, VocabularySize, _beyond) = (inner, rows, beyond);

    /// <inheritdoc/>
    public int VocabularySize { get; }

    /// <inheritdoc/>
    public int EndTokenId => _inner.EndTokenId;

    /// <inheritdoc/>
    public int? BeginTokenId => _inner.BeginTokenId;

    /// <inheritdoc/>
    public bool AddsBeginToken => _inner.AddsBeginToken;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, byte[]> Files => _inner.Files;

    /// <inheritdoc/>
    public string Digest => _inner.Digest;

    /// <inheritdoc/>
    public VocabularyListing? List() => _inner.List() is { } all ? all with { Tokens = [.. all.Tokens.Take(VocabularySize)] } : null;

    /// <summary>The tokenizer itself where all ids have rows.</summary>
    /// <exception cref="InvalidTokenizerException">The vocabulary itself, or a token that stands around every document, has no row.</exception>
    public static ITokenizer Apply(ITokenizer tokenizer, int rows)
    {
        if (tokenizer.VocabularySize <= rows)
            return tokenizer;
        var beyond = (tokenizer as IAddedTokens)?.AddedTokens.Where(token => token.Id >= rows).ToDictionary(token => token.Id, token => token.Content) ?? [];
        if (tokenizer is not IAddedTokens known || known.WordCount > rows)
        {
            throw new InvalidTokenizerException(
                $"The tokenizer has ids up to {tokenizer.VocabularySize - 1}, but config.json says vocab_size {rows}: the tokenizer belongs to another model.");
        }
        foreach (var (role, id) in ((string, int?)[])[("ends a document", tokenizer.EndTokenId), ("begins a text", Added(tokenizer))])
        {
            if (id is { } outside && beyond.TryGetValue(outside, out var name))
            {
                throw new InvalidTokenizerException(
                    $"The token '{name}', which {role}, has the id {outside}, but config.json says vocab_size {rows}: "
                    + "name a token that the model has, or add its row to the embedding.");
            }
        }
        return new RowLimit(tokenizer, rows, beyond);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidTokenizerException">The text holds a token that the model has no row for.</exception>
    public int[] Encode(string text)
    {
        var ids = _inner.Encode(text);
        var outside = ids.Where(id => id >= VocabularySize).Distinct().Order().ToList();
        return outside.Count == 0 ? ids : throw new InvalidTokenizerException(
            $"The text holds {string.Join(", ", outside.Take(MostNamed).Select(id => $"'{_beyond.GetValueOrDefault(id)}' (id {id})"))}, and config.json says "
            + $"vocab_size {VocabularySize}: the model has no embedding for {(outside.Count == 1 ? "this token" : "these tokens")}. "
            + "Take them out of the text.");
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids) => _inner.Decode(ids);

    private static int? Added(ITokenizer tokenizer) => tokenizer.AddsBeginToken ? tokenizer.BeginTokenId : null;
}

/// <summary>A tokenizer that tells its words from tokens that were added to them.</summary>
internal interface IAddedTokens
{
    /// <summary>Largest id of the vocabulary proper plus one.</summary>
    int WordCount { get; }

    /// <summary>Tokens that were added.</summary>
    IReadOnlyList<AddedToken> AddedTokens { get; }
}
