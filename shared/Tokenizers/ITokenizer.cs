namespace Espalier.Tokenizers;

/// <summary>Turns text into token ids and back. Deterministic and safe to call from several threads.</summary>
public interface ITokenizer
{
    /// <summary>Largest id plus one; a model needs at least this many embedding rows.</summary>
    int VocabularySize { get; }

    /// <summary>The id that ends a document.</summary>
    int EndTokenId { get; }

    /// <summary>Token ids of a text; nothing is added at either end. Unpaired surrogates count as U+FFFD.</summary>
    int[] Encode(string text);

    /// <summary>The text of some ids; bytes that are no UTF-8 become U+FFFD, ids without a token contribute nothing.</summary>
    string Decode(ReadOnlySpan<int> ids);

    /// <summary>The files that make a checkpoint folder carry this tokenizer, by file name; none for plain bytes.</summary>
    IReadOnlyDictionary<string, byte[]> Files { get; }

    /// <summary>SHA-256, in lower-case hex, of everything the ids depend on.</summary>
    string Digest { get; }
}
