namespace Espalier.Datasets.Tokens;

/// <summary>Where one document lies in its domain's token stream.</summary>
/// <param name="Start">Index of its first token.</param>
/// <param name="Tokens">Number of its tokens, those around it included.</param>
/// <param name="SizeBytes">UTF-8 bytes of its text, which bits per byte divides by.</param>
public readonly record struct TokenizedDocument(long Start, int Tokens, int SizeBytes);

/// <summary>
/// One domain of a tokenised split: a stream of documents, each followed by the end token, and begun by the beginning-of-text token where
/// the tokenizer adds one.
/// </summary>
public sealed class TokenizedDomain
{
    private readonly TokenFile _file;

    internal TokenizedDomain(string name, TokenFile file)
    {
        Name = name;
        _file = file;
        SizeBytes = file.Documents.Sum(d => (long)d.SizeBytes);
    }

    /// <summary>The domain.</summary>
    public string Name { get; }

    /// <summary>Tokens, those around documents included.</summary>
    public long Tokens => _file.Tokens;

    /// <summary>UTF-8 bytes of text.</summary>
    public long SizeBytes { get; }

    /// <summary>Its documents, in order.</summary>
    public IReadOnlyList<TokenizedDocument> Documents => _file.Documents;

    /// <summary>Copies tokens from a position on.</summary>
    public void Read(long position, Span<int> destination) => _file.Read(position, destination);

    /// <summary>As <see cref="Read"/>, going on from the start when the stream ends.</summary>
    public void ReadCircular(long position, Span<int> destination)
    {
        while (destination.Length > 0)
        {
            position %= Tokens;
            var count = (int)Math.Min(destination.Length, Tokens - position);
            Read(position, destination[..count]);
            destination = destination[count..];
            position += count;
        }
    }
}
