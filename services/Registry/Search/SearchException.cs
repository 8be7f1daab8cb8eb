namespace Espalier.Registry.Search;

/// <summary>A query or rule cannot be read; the position counts characters from 1.</summary>
public sealed class SearchException(int position, string message) : Exception($"at character {position}: {message}")
{
    /// <summary>Character from 1.</summary>
    public int Position { get; } = position;

    /// <summary>What is wrong, without the position.</summary>
    public string Reason { get; } = message;
}
