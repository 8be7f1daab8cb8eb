namespace Espalier.Contracts;

/// <summary>Finds what the user may have meant.</summary>
public static class NearestWord
{
    private const int LongestCompared = 100;
    private const int MostListed = 12;

    /// <summary>The word with the smallest edit distance (insert, delete, replace, swap of neighbours), or null when none is near.</summary>
    public static string? Find(string word, IEnumerable<string> valid)
    {
        if (word.Length > LongestCompared)
            return null;
        var limit = Math.Max(1, (word.Length + 1) / 3);
        return valid
            .Select(v => (Word: v, Distance: v.Length > LongestCompared ? int.MaxValue : Distance(word.ToLowerInvariant(), v.ToLowerInvariant())))
            .Where(v => v.Distance <= limit)
            .OrderBy(v => v.Distance).ThenBy(v => v.Word, StringComparer.Ordinal)
            .FirstOrDefault().Word;
    }

    /// <summary>The end of a message about an unknown word: the nearest one, or else all of them.</summary>
    public static string Hint(string word, IReadOnlyCollection<string> valid)
    {
        if (Find(word, valid) is { } nearest)
            return $"did you mean '{nearest}'?";
        if (valid.Count == 0)
            return "there are none";
        var listed = string.Join(", ", valid.Order(StringComparer.Ordinal).Take(MostListed));
        return valid.Count > MostListed ? $"valid are {listed}, and {valid.Count - MostListed} more" : $"valid are {listed}";
    }

    private static int Distance(string a, string b)
    {
        var rows = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
            rows[i, 0] = i;
        for (var j = 0; j <= b.Length; j++)
            rows[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var replace = rows[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                rows[i, j] = Math.Min(replace, Math.Min(rows[i - 1, j], rows[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    rows[i, j] = Math.Min(rows[i, j], rows[i - 2, j - 2] + 1);
            }
        }
        return rows[a.Length, b.Length];
    }
}
