using System.Security.Cryptography;
using System.Text;
using Espalier.Contracts;

namespace Espalier.Datasets.Sources;

/// <summary>Cuts one text into documents while it is read, however long it is.</summary>
internal static class TextPieces
{
    /// <summary>Characters that a document may have.</summary>
    public const int LongestDocument = 16 << 20;

    /// <summary>What is said of a longer one.</summary>
    public const string TooLong = "its text has more than 16 million characters: cut it into documents";

    private const int LargestPiece = 2048;
    private const int SmallestPiece = 256;
    private const int WantedPieces = 40;
    private const int Block = 1 << 16;

    /// <inheritdoc cref="Cut(Func{TextReader}, string)"/>
    public static IEnumerable<Document> Cut(string text) => Cut(() => new StringReader(text), "the text");

    /// <summary>
    /// At form feeds when there are any. Otherwise paragraphs are gathered until a piece has about 2,048 characters, or a
    /// fortieth of a small text; a paragraph longer than that is cut at the end of a line, else at a space.
    /// </summary>
    /// <param name="open">Opens the text from its beginning; called twice.</param>
    /// <param name="name">What to call the text in messages.</param>
    public static IEnumerable<Document> Cut(Func<TextReader> open, string name)
    {
        var (length, hasFormFeed) = Measure(open);
        using var text = new UnixText(open());
        foreach (var piece in hasFormFeed ? Pages(text, name) : CutAtBlankLines(text, SizeFor(length)))
        {
            if (piece.Trim() is { Length: > 0 } trimmed)
                yield return new Document(NameOf(trimmed), trimmed);
        }
    }

    /// <summary>The name of a piece: the hash of its text, so that equal text is on the same side of a split wherever it stands.</summary>
    public static string NameOf(string piece) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(piece)))[..16];

    private static (long Length, bool HasFormFeed) Measure(Func<TextReader> open)
    {
        using var text = new UnixText(open());
        var block = new char[Block];
        var (length, hasFormFeed) = (0L, false);
        for (int read; (read = text.ReadBlock(block)) > 0; length += read)
            hasFormFeed |= block.AsSpan(0, read).Contains('\f');
        return (length, hasFormFeed);
    }

    // Even the shortest text gives two pieces if it has two words.
    private static int SizeFor(long length) => (int)Math.Max(1, Math.Min(Math.Clamp(length / WantedPieces, SmallestPiece, LargestPiece), length / 3));

    private static IEnumerable<string> Pages(UnixText text, string name)
    {
        var block = new char[Block];
        var page = new StringBuilder();
        for (int read; (read = text.ReadBlock(block)) > 0;)
        {
            var start = 0;
            for (int end; (end = Array.IndexOf(block, '\f', start, read - start)) >= 0; start = end + 1)
            {
                yield return page.Append(block, start, end - start).ToString();
                page.Clear();
            }
            page.Append(block, start, read - start);
            if (page.Length > LongestDocument)
                throw new UserInputException($"{name}, page of '{page.ToString(0, 40).Trim()}': {TooLong}, with form feeds between them.");
        }
        yield return page.ToString();
    }

    private static IEnumerable<string> CutAtBlankLines(UnixText text, int size)
    {
        // Enough to see where a piece ends, with the character after it.
        var enough = 2 * size + 1;
        var window = new char[enough + Block];
        var (start, end, hasEnded) = (0, 0, false);
        while (true)
        {
            if (!hasEnded && end - start < enough)
            {
                window.AsSpan(start, end - start).CopyTo(window);
                (start, end) = (0, end - start);
                var read = text.ReadBlock(window.AsSpan(end));
                end += read;
                hasEnded = end < window.Length;
            }
            if (start == end)
                yield break;
            var length = LengthOfPiece(window.AsSpan(start, end - start), size);
            yield return new string(window, start, length);
            start += length;
        }
    }

    // The first blank line from the wanted size on; if that is too far, the last line end or space before twice the size.
    private static int LengthOfPiece(ReadOnlySpan<char> text, int size)
    {
        if (text.Length <= size)
            return text.Length;
        var window = text[..Math.Min(2 * size, text.Length)];
        var blank = window[size..].IndexOf("\n\n");
        if (blank >= 0)
            return size + blank + 2;
        var cut = window.LastIndexOf('\n');
        if (cut < size / 2)
            cut = window.LastIndexOf(' ');
        if (cut >= size / 2)
            return cut + 1;
        return window.Length < text.Length && char.IsLowSurrogate(text[window.Length]) ? window.Length - 1 : window.Length;
    }
}
