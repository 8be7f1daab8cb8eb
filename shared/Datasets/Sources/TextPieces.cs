using System.Security.Cryptography;
using System.Text;

namespace Espalier.Datasets.Sources;

/// <summary>Cuts one text into documents.</summary>
internal static class TextPieces
{
    private const int LargestPiece = 2048;
    private const int SmallestPiece = 256;
    private const int WantedPieces = 40;

    /// <summary>
    /// At form feeds when there are any. Otherwise paragraphs are gathered until a piece has about 2,048 characters, or a
    /// fortieth of a small text; a paragraph longer than that is cut at the end of a line, else at a space.
    /// </summary>
    public static IEnumerable<Document> Cut(string text)
    {
        text = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        var pieces = text.Contains('\f', StringComparison.Ordinal) ? [.. text.Split('\f')] : CutAtBlankLines(text, SizeFor(text.Length));
        return pieces.Select(p => p.Trim()).Where(p => p.Length > 0).Select(p => new Document(NameOf(p), p));
    }

    // Even the shortest text gives two pieces if it has two words.
    private static int SizeFor(int length) => Math.Max(1, Math.Min(Math.Clamp(length / WantedPieces, SmallestPiece, LargestPiece), length / 3));

    private static List<string> CutAtBlankLines(string text, int size)
    {
        var pieces = new List<string>();
        for (var start = 0; start < text.Length;)
        {
            var end = EndOfPiece(text, start, size);
            pieces.Add(text[start..end]);
            start = end;
        }
        return pieces;
    }

    // The first blank line from the wanted size on; if that is too far, the last line end or space before twice the size.
    private static int EndOfPiece(string text, int start, int size)
    {
        if (text.Length - start <= size)
            return text.Length;
        var window = text.AsSpan(start, Math.Min(2 * size, text.Length - start));
        var blank = window[size..].IndexOf("\n\n");
        if (blank >= 0)
            return start + size + blank + 2;
        var cut = window.LastIndexOf('\n');
        if (cut < size / 2)
            cut = window.LastIndexOf(' ');
        if (cut >= size / 2)
            return start + cut + 1;
        var end = start + window.Length;
        return end < text.Length && char.IsLowSurrogate(text[end]) ? end - 1 : end;
    }

    /// <summary>The name of a piece: the hash of its text, so that equal text is on the same side of a split wherever it stands.</summary>
    public static string NameOf(string piece) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(piece)))[..16];
}
