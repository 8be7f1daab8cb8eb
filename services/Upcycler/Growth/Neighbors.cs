namespace Espalier.Upcycler.Growth;

/// <summary>Which experts are alike, by their router rows.</summary>
public static class Neighbors
{
    /// <summary>For each row, the other row with the largest cosine; of equal ones the lowest.</summary>
    /// <param name="rows">(E, H), row after row.</param>
    /// <param name="width">H.</param>
    public static int[] BySimilarity(float[] rows, int width)
    {
        var count = rows.Length / width;
        return [.. Enumerable.Range(0, count)
            .Select(row => Enumerable.Range(0, count).Where(other => other != row).DefaultIfEmpty(row).MaxBy(other => Cosine(row, other)))];

        double Cosine(int a, int b)
        {
            var (ab, aa, bb) = (0.0, 0.0, 0.0);
            for (var i = 0; i < width; i++)
            {
                var (x, y) = ((double)rows[a * width + i], (double)rows[b * width + i]);
                (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
            }
            return aa * bb > 0 ? ab / Math.Sqrt(aa * bb) : 0;
        }
    }
}
