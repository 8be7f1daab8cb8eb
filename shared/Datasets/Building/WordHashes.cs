namespace Espalier.Datasets.Building;

/// <summary>
/// The words of a text as hashes: runs of letters and digits, without case. Characters of scripts that put no spaces between words (from
/// U+2E80 on) are words by themselves.
/// </summary>
internal static class WordHashes
{
    private const ulong Offset = 0xCBF29CE484222325, Prime = 0x100000001B3;
    private const char FirstWithoutSpaces = '\u2E80';

    /// <summary>Replaces the content of a list by the words of a text.</summary>
    public static void Read(ReadOnlySpan<char> text, List<ulong> words)
    {
        words.Clear();
        var hash = Offset;
        foreach (var character in text)
        {
            if (character >= FirstWithoutSpaces && (char.IsLetter(character) || char.IsSurrogate(character)))
            {
                End();
                words.Add((Offset ^ character) * Prime);
            }
            else if (char.IsLetterOrDigit(character))
                hash = (hash ^ char.ToLowerInvariant(character)) * Prime;
            else
                End();
        }
        End();

        void End()
        {
            if (hash != Offset)
                words.Add(hash);
            hash = Offset;
        }
    }
}
