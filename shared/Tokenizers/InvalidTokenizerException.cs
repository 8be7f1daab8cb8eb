namespace Espalier.Tokenizers;

/// <summary>A tokenizer file cannot be used. The message names the file, the place in it, and what was expected.</summary>
public sealed class InvalidTokenizerException(string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>Whether the file is sound and only our own reader does not do what it asks for.</summary>
    internal bool IsUnsupported { get; init; }
}
