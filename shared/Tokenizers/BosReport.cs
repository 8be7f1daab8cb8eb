namespace Espalier.Tokenizers;

/// <summary>The convention by which texts begin, as reports say it.</summary>
/// <param name="Added">Whether the token stands before every document and context.</param>
/// <param name="TokenId">Its id; null when the tokenizer has none.</param>
public sealed record BosReport(bool Added, int? TokenId)
{
    /// <summary>That of a tokenizer.</summary>
    public static BosReport Of(ITokenizer tokenizer) => new(tokenizer.AddsBeginToken, tokenizer.BeginTokenId);
}
