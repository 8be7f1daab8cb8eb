namespace Espalier.Evaluator.Statistics;

/// <summary>
/// Student's t distribution: F(t) = 1 - I_x(v/2, 1/2) / 2 with x = v / (v + t^2), t >= 0, and I the regularized incomplete beta function
/// (Abramowitz and Stegun 26.7.1), by its continued fraction (26.5.8).
/// </summary>
internal static class StudentT
{
    private const int MostTerms = 300;
    private const int Halvings = 200;
    private const double Tiny = 1e-300;

    /// <summary>The value that the distribution stays below with a probability.</summary>
    /// <param name="probability">Between 0 and 1, exclusive.</param>
    /// <param name="degrees">Degrees of freedom, 1 or more.</param>
    public static double Quantile(double probability, int degrees)
    {
        if (probability < 0.5)
            return -Quantile(1 - probability, degrees);
        var (low, high) = (0.0, 1.0);
        while (Distribution(high, degrees) < probability)
            high *= 2;
        for (var i = 0; i < Halvings && high > low; i++)
        {
            var middle = low + (high - low) / 2;
            (low, high) = Distribution(middle, degrees) < probability ? (middle, high) : (low, middle);
            if (middle == low && middle == high)
                break;
        }
        return low + (high - low) / 2;
    }

    // For t >= 0.
    private static double Distribution(double t, int degrees) => 1 - Beta(degrees / (degrees + t * t), degrees / 2.0, 0.5) / 2;

    private static double Beta(double x, double a, double b)
    {
        if (x is <= 0 or >= 1)
            return Math.Clamp(x, 0, 1);
        var factor = Math.Exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + a * Math.Log(x) + b * Math.Log(1 - x));
        return x < (a + 1) / (a + b + 2) ? factor * Fraction(x, a, b) / a : 1 - factor * Fraction(1 - x, b, a) / b;
    }

    // Lentz's evaluation of the continued fraction.
    private static double Fraction(double x, double a, double b)
    {
        var (c, d) = (1.0, 1 / NotZero(1 - (a + b) * x / (a + 1)));
        var value = d;
        for (var m = 1; m <= MostTerms; m++)
        {
            var before = value;
            Step(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)));
            Step(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)));
            if (value == before)
                break;
        }
        return value;

        void Step(double term)
        {
            d = 1 / NotZero(1 + term * d);
            c = NotZero(1 + term / c);
            value *= c * d;
        }
    }

    private static double NotZero(double value) => Math.Abs(value) < Tiny ? Tiny : value;

    // Lanczos, g = 7, n = 9.
    private static double LogGamma(double x)
    {
        ReadOnlySpan<double> coefficients =
        [
            0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
            -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
        ];
        if (x < 0.5)
            return Math.Log(Math.PI / Math.Sin(Math.PI * x)) - LogGamma(1 - x);
        x -= 1;
        var sum = coefficients[0];
        for (var i = 1; i < coefficients.Length; i++)
            sum += coefficients[i] / (x + i);
        var t = x + 7.5;
        return 0.5 * Math.Log(2 * Math.PI) + (x + 0.5) * Math.Log(t) - t + Math.Log(sum);
    }
}
