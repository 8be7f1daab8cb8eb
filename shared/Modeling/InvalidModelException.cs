namespace Espalier.Modeling;

/// <summary>A checkpoint or its configuration cannot be used. The message names the file or tensor, what was expected and what was found.</summary>
public sealed class InvalidModelException(string message, Exception? innerException = null) : Exception(message, innerException);
