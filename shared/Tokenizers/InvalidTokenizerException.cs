namespace Espalier.Tokenizers;

/// <summary>A tokenizer file cannot be used. The message names the file, the place in it, and what was expected.</summary>
public sealed class InvalidTokenizerException(string message, Exception? innerException = null) : Exception(message, innerException);
