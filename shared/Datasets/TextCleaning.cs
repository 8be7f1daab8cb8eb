using System.Text;

namespace Espalier.Datasets;

/// <summary>What every text goes through before it becomes part of a dataset.</summary>
internal static class TextCleaning
{
    /// <summary>
    /// Line ends become LF; control characters other than tab and LF, byte-order marks and unpaired surrogates go; white
    /// space at the end of lines and around the text goes.
    /// </summary>
    public static string Clean(string text)
    {
        var result = new StringBuilder(text.Length);
        var start = 0;
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && !IsSpecial(text, i))
                continue;
            result.Append(text, start, i - start);
            start = i + 1;
            if (i == text.Length || text[i] is not ('\n' or '\r'))
                continue;
            if (text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n')
                continue;
            TrimLineEnd(result);
            result.Append('\n');
        }
        return result.ToString().Trim('\n', ' ', '\t');
    }

    private static void TrimLineEnd(StringBuilder text)
    {
        while (text.Length > 0 && text[^1] is ' ' or '\t')
            text.Length--;
    }

    private static bool IsSpecial(string text, int index)
    {
        var character = text[index];
        if (char.IsSurrogate(character))
            return !(char.IsHighSurrogate(character)
                ? index + 1 < text.Length && char.IsLowSurrogate(text[index + 1])
                : index > 0 && char.IsHighSurrogate(text[index - 1]));
        return (char.IsControl(character) && character != '\t') || character == '\uFEFF';
    }
}
