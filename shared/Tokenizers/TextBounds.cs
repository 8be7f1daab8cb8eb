namespace Espalier.Tokenizers;

/// <summary>The tokens around a document.</summary>
/// <param name="End">The id that ends it.</param>
/// <param name="Begin">The id that begins it; null when the tokenizer has none.</param>
/// <param name="AddsBegin">Whether the tokenizer's own configuration puts <paramref name="Begin"/> before every text.</param>
internal sealed record TextBounds(int End, int? Begin = null, bool AddsBegin = false);
