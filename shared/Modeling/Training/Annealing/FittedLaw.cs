namespace Espalier.Modeling.Training.Annealing;

/// <summary>A law with what its errors are read from.</summary>
/// <param name="Law">The law.</param>
/// <param name="Objective">What was made small.</param>
/// <param name="Scale">S1 where the curve ends, by which S1 is divided.</param>
/// <param name="Covariance">Of L0, A in units of the scale, C and alpha.</param>
/// <param name="Spread">Standard deviation of single points around the law.</param>
internal sealed record FittedLaw(AnnealingLaw Law, double Objective, double Scale, double[,] Covariance, double Spread)
{
    /// <summary>Variance of the loss that will be seen behind some areas.</summary>
    public double VarianceAt(AnnealingAreas areas)
    {
        var gradient = Gradient(Law, areas, Scale);
        var variance = Spread * Spread;
        for (var i = 0; i < gradient.Length; i++)
            for (var j = 0; j < gradient.Length; j++)
                variance += gradient[i] * Covariance[i, j] * gradient[j];
        return variance;
    }

    /// <summary>Derivatives of the loss by L0, A in units of the scale, C and alpha.</summary>
    public static double[] Gradient(AnnealingLaw law, AnnealingAreas at, double scale)
    {
        var forward = (at.Forward + law.Before) / scale;
        var power = Math.Pow(forward, -law.Exponent);
        return [1, power, -at.Annealing, -law.Amplitude * Math.Pow(scale, -law.Exponent) * power * Math.Log(forward)];
    }
}
