namespace Espalier.Artifacts.Checkpoints;

/// <summary>The byte-order mark of UTF-8, which some editors write before text and JSON readers refuse.</summary>
internal static class ByteOrderMark
{
    private static ReadOnlySpan<byte> Mark => [0xEF, 0xBB, 0xBF];

    /// <summary>Whether the text begins with it.</summary>
    public static bool IsIn(ReadOnlySpan<byte> text) => text.StartsWith(Mark);

    /// <summary>The text after it.</summary>
    public static ReadOnlyMemory<byte> Skip(ReadOnlyMemory<byte> text) => IsIn(text.Span) ? text[Mark.Length..] : text;

    /// <summary>Whether a file is text that is parsed: a mark in it is not part of its content.</summary>
    public static bool IsParsed(string name) => name.EndsWith(".json", StringComparison.Ordinal) || name.EndsWith(".txt", StringComparison.Ordinal);
}
