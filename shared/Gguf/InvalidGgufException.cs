namespace Espalier.Gguf;

/// <summary>A GGUF file that cannot be read; the text says what is wrong with it.</summary>
public sealed class InvalidGgufException(string message) : Exception(message);
