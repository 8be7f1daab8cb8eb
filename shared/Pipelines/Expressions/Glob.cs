namespace Espalier.Pipelines.Expressions;

/// <summary>Patterns in which <c>*</c> stands for any text.</summary>
public static class Glob
{
    /// <summary>Whether a text is as the pattern says; upper and lower case differ.</summary>
    public static bool IsMatch(string pattern, string text)
    {
        var (p, t, star, mark) = (0, 0, -1, 0);
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                (star, mark) = (p++, t);
            }
            else if (p < pattern.Length && pattern[p] == text[t])
            {
                p++;
                t++;
            }
            else if (star >= 0)
            {
                // The last star takes one more character; earlier ones never need another try.
                (p, t) = (star + 1, ++mark);
            }
            else
            {
                return false;
            }
        }
        return pattern.AsSpan(p).TrimStart('*').Length == 0;
    }
}
