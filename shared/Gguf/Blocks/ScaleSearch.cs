namespace Espalier.Gguf.Blocks;

/// <summary>Scales of a part of a block: those of least weighted squared error among some that nearly fill the range of codes.</summary>
internal static class ScaleSearch
{
    private const int Tries = 9;
    private const float TryStep = 0.1f;
    private const int OffsetTries = 20;

    /// <summary>
    /// The scale s, of either sign, of w = s q with q in [-<paramref name="halfRange"/>, <paramref name="halfRange"/> - 1]. Errors count by
    /// the square of the weight.
    /// </summary>
    public static float Signed(ReadOnlySpan<float> weights, int halfRange)
    {
        var largest = 0f;
        foreach (var weight in weights)
        {
            if (Math.Abs(weight) > Math.Abs(largest))
                largest = weight;
        }
        if (largest == 0)
            return 0;
        var (best, scale) = (-1f, 0f);
        for (var attempt = -Tries; attempt <= Tries; attempt++)
        {
            var inverse = -(halfRange + TryStep * attempt) / largest;
            // sum of w^2 (w - s q)^2 is least at s = sum(w^3 q) / sum(w^2 q^2), and what it takes away is the square of the one over the other.
            var (product, square) = (0f, 0f);
            foreach (var weight in weights)
            {
                var code = Math.Clamp(MathF.Round(weight * inverse), -halfRange, halfRange - 1);
                product += weight * weight * weight * code;
                square += weight * weight * code * code;
            }
            if (square > 0 && product * product / square > best)
                (best, scale) = (product * product / square, product / square);
        }
        return scale;
    }

    /// <summary>
    /// Scale s and offset m, both at least 0, of w = s q - m with q in [0, <paramref name="largestCode"/>]. Errors count by the weight's
    /// magnitude over that of the part.
    /// </summary>
    public static (float Scale, float Offset) WithOffset(ReadOnlySpan<float> weights, int largestCode)
    {
        var (low, high, squares) = (0f, float.NegativeInfinity, 0f);
        foreach (var weight in weights)
        {
            (low, high) = (Math.Min(low, weight), Math.Max(high, weight));
            squares += weight * weight;
        }
        if (high <= low)
            return (0, -low);
        var magnitude = MathF.Sqrt(squares / weights.Length);
        var (least, scale, offset) = (float.PositiveInfinity, 0f, 0f);
        for (var attempt = 0; attempt <= OffsetTries; attempt++)
        {
            var inverse = (largestCode - 1 + TryStep * attempt) / (high - low);
            var (s, m) = Fit(weights, low, inverse, largestCode, magnitude);
            var error = ErrorOf(weights, low, inverse, largestCode, magnitude, s, m);
            if (error < least)
                (least, scale, offset) = (error, s, m);
        }
        return (scale, offset);
    }

    // Weighted least squares for given codes: a line through (q, w), with an intercept of at most 0.
    private static (float Scale, float Offset) Fit(ReadOnlySpan<float> weights, float low, float inverse, int largestCode, float magnitude)
    {
        var (n, q, qq, w, wq) = (0f, 0f, 0f, 0f, 0f);
        foreach (var weight in weights)
        {
            var (importance, code) = (magnitude + Math.Abs(weight), CodeOf(weight, low, inverse, largestCode));
            (n, q, qq) = (n + importance, q + importance * code, qq + importance * code * code);
            (w, wq) = (w + importance * weight, wq + importance * weight * code);
        }
        var determinant = n * qq - q * q;
        if (determinant <= 0)
            return (0, -low);
        var (scale, intercept) = ((n * wq - w * q) / determinant, (qq * w - q * wq) / determinant);
        return intercept <= 0 ? (Math.Max(0, scale), -intercept) : (Math.Max(0, wq / qq), 0);
    }

    private static float ErrorOf(ReadOnlySpan<float> weights, float low, float inverse, int largestCode, float magnitude, float scale, float offset)
    {
        var error = 0f;
        foreach (var weight in weights)
        {
            var difference = scale * CodeOf(weight, low, inverse, largestCode) - offset - weight;
            error += (magnitude + Math.Abs(weight)) * difference * difference;
        }
        return error;
    }

    private static float CodeOf(float weight, float low, float inverse, int largestCode) =>
        Math.Clamp(MathF.Round(inverse * (weight - low)), 0, largestCode);
}
