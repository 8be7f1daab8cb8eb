namespace Espalier.Tokenizers;

/// <summary>Turns text into token ids and back. Deterministic and safe to call from several threads.</summary>
public interface ITokenizer
{
    /// <summary>Largest id plus one; a model needs at least this many embedding rows.</summary>
    int VocabularySize { get; }

    /// <summary>The id that ends a document.</summary>
    int EndTokenId { get; }

    /// <summary>The id that begins a text, or null when the tokenizer has none.</summary>
    int? BeginTokenId => null;

    /// <summary>Whether <see cref="BeginTokenId"/> stands before every document: as the tokenizer's own configuration says, or the task.</summary>
    bool AddsBeginToken => false;

    /// <summary>Token ids of a text; nothing is added at either end. Unpaired surrogates count as U+FFFD.</summary>
    int[] Encode(string text);

    /// <summary>The text of some ids; bytes that are not UTF-8 become U+FFFD, ids without a token contribute nothing.</summary>
    string Decode(ReadOnlySpan<int> ids);

    /// <summary>The files that make a checkpoint folder carry this tokenizer, by file name; none for plain bytes.</summary>
    IReadOnlyDictionary<string, byte[]> Files { get; }

    /// <summary>Every token, for other programs; null where this vocabulary cannot be listed so.</summary>
    VocabularyListing? List() => null;

    /// <summary>SHA-256, in lower-case hex, of everything the ids depend on.</summary>
    string Digest { get; }
}

/// <summary>Whole documents, with the tokens that stand around them.</summary>
public static class TokenizerExtensions
{
    /// <summary>
    /// The ids of a text as a model expects its beginning: the beginning-of-text token first where the tokenizer adds one and the text
    /// does not begin with it already.
    /// </summary>
    public static int[] EncodeFromStart(this ITokenizer tokenizer, string text)
    {
        var ids = tokenizer.Encode(text);
        return tokenizer.AddsBeginToken && tokenizer.BeginTokenId is { } begin && (ids.Length == 0 || ids[0] != begin) ? [begin, .. ids] : ids;
    }

    /// <summary>A whole document: <see cref="EncodeFromStart"/>, then the end token.</summary>
    public static int[] EncodeDocument(this ITokenizer tokenizer, string text) => [.. tokenizer.EncodeFromStart(text), tokenizer.EndTokenId];
}
