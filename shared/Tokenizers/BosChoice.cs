namespace Espalier.Tokenizers;

/// <summary>A tokenizer whose use of the beginning-of-text token the task decides.</summary>
internal sealed class BosChoice : ITokenizer
{
    private readonly ITokenizer _inner;

    private BosChoice(ITokenizer inner, bool adds) => (_inner, AddsBeginToken) = (inner, adds);

    /// <inheritdoc/>
    public int VocabularySize => _inner.VocabularySize;

    /// <inheritdoc/>
    public int EndTokenId => _inner.EndTokenId;

    /// <inheritdoc/>
    public int? BeginTokenId => _inner.BeginTokenId;

    /// <inheritdoc/>
    public bool AddsBeginToken { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, byte[]> Files => _inner.Files;

    /// <inheritdoc/>
    public string Digest => _inner.Digest;

    /// <summary>The tokenizer itself where the task asks for nothing else.</summary>
    /// <exception cref="InvalidTokenizerException">The task asks for a token that the tokenizer does not have, or the model has no row for.</exception>
    public static ITokenizer Apply(ITokenizer tokenizer, BosUse use)
    {
        if (use == BosUse.Always && tokenizer.BeginTokenId is null)
        {
            throw new InvalidTokenizerException(
                $"'bos' is 'always', but the tokenizer has no beginning-of-text token: name one as bos_token in {TokenizerFiles.Configuration}, "
                + "or leave 'bos' out.");
        }
        if (use == BosUse.Always && tokenizer.BeginTokenId >= tokenizer.VocabularySize)
        {
            throw new InvalidTokenizerException(
                $"'bos' is 'always', but the beginning-of-text token has the id {tokenizer.BeginTokenId} and config.json says vocab_size "
                + $"{tokenizer.VocabularySize}.");
        }
        var adds = use == BosUse.Tokenizer ? tokenizer.AddsBeginToken : use == BosUse.Always;
        return adds == tokenizer.AddsBeginToken ? tokenizer : new BosChoice(tokenizer, adds);
    }

    /// <inheritdoc/>
    public VocabularyListing? List() => _inner.List();

    /// <inheritdoc/>
    public int[] Encode(string text) => _inner.Encode(text);

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids) => _inner.Decode(ids);
}
