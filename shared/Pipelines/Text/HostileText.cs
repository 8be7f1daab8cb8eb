namespace Espalier.Pipelines.Text;

/// <summary>Characters that no text of a pipeline needs and that databases, paths or JSON cannot hold.</summary>
public static class HostileText
{
    /// <summary>What is wrong with a text, such as <c>a NUL character</c>; null when nothing is.</summary>
    public static string? Find(ReadOnlySpan<char> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '\0')
                return "a NUL character";
            if (char.IsControl(c) && c is not ('\t' or '\n' or '\r' or '\u0085'))
                return $"the control character U+{(int)c:X4}";
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                i++;
            else if (char.IsSurrogate(c))
                return $"half of a character (U+{(int)c:X4})";
        }
        return null;
    }
}
