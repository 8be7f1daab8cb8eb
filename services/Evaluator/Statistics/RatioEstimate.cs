namespace Espalier.Evaluator.Statistics;

/// <summary>Numerators and denominators of one model, one entry per document: NLL over tokens, or NLL over bytes.</summary>
internal sealed record DocumentRatios(double[] Numerators, double[] Denominators)
{
    /// <summary>The corpus value: ratio of the sums, not mean of the documents' ratios.</summary>
    public double Value => Numerators.Sum() / Denominators.Sum();
}

/// <summary>A corpus ratio on all documents and on every resample.</summary>
internal sealed record RatioEstimate(double Value, double[] Resampled)
{
    /// <summary>The percentile interval.</summary>
    public Interval Interval(double confidence) => Statistics.Interval.Of(Value, Resampled, confidence);

    /// <summary>Estimates several ratios over the same documents under the same draws, so that they can be compared in pairs.</summary>
    public static RatioEstimate[] Of(IReadOnlyList<DocumentRatios> ratios, int resamples, long seed, string name)
    {
        if (ratios.Count == 0)
            return [];
        if (ratios[0].Numerators.Length < Statistics.Interval.FewestUnits)
            return [.. ratios.Select(r => new RatioEstimate(r.Value, []))];
        var sums = Bootstrap.ResampledSums([.. ratios.SelectMany(r => new[] { r.Numerators, r.Denominators })], resamples, seed, name);
        return [.. ratios.Select((ratio, i) => new RatioEstimate(ratio.Value, Divide(sums[2 * i], sums[2 * i + 1])))];
    }

    private static double[] Divide(double[] numerators, double[] denominators) =>
        [.. numerators.Zip(denominators, (numerator, denominator) => numerator / denominator)];
}
