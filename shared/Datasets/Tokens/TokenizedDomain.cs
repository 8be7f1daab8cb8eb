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
    private readonly int _endTokenId;

    internal TokenizedDomain(string name, TokenFile file, int endTokenId)
    {
        Name = name;
        _file = file;
        _endTokenId = endTokenId;
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

    /// <summary>
    /// The whole stream in windows for evaluation: every token is a target exactly once, with the tokens of its own window
    /// before it as context. An end token stands before the first.
    /// </summary>
    /// <param name="length">Targets per window.</param>
    /// <param name="maxTargets">Stop after about so many targets; null for all. Windows are then taken evenly over the stream.</param>
    public IEnumerable<EvaluationWindow> Windows(int length, long? maxTargets = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        var count = (Tokens + length - 1) / length;
        var wanted = maxTargets is { } limit ? Math.Clamp((limit + length - 1) / length, 1, count) : count;
        for (var i = 0L; i < wanted; i++)
            yield return Window((long)((Int128)i * count / wanted) * length, length);
    }

    private EvaluationWindow Window(long start, int length)
    {
        var targets = (int)Math.Min(length, Tokens - start);
        var tokens = new int[length + 1];
        Array.Fill(tokens, _endTokenId);
        Read(start, tokens.AsSpan(1, targets));
        if (start > 0)
            Read(start - 1, tokens.AsSpan(0, 1));

        var documents = new int[targets];
        var document = DocumentAt(start);
        for (var i = 0; i < targets; i++)
        {
            while (start + i >= Documents[document].Start + Documents[document].Tokens)
                document++;
            documents[i] = document;
        }
        return new EvaluationWindow(Name, start, tokens, targets, documents);
    }

    private int DocumentAt(long position)
    {
        var (low, high) = (0, Documents.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = Documents[middle].Start <= position ? (middle, high) : (low, middle - 1);
        }
        return low;
    }
}

/// <summary>One window of an evaluation.</summary>
/// <param name="Domain">The domain.</param>
/// <param name="Start">Position of its first target in the domain's stream.</param>
/// <param name="Tokens">length + 1 ids: [0..length) are inputs, [1..length] targets; filled up with end tokens.</param>
/// <param name="Targets">How many targets count; less than the length only in the last window.</param>
/// <param name="Documents">Index of the document of each target that counts.</param>
public sealed record EvaluationWindow(string Domain, long Start, int[] Tokens, int Targets, int[] Documents);
