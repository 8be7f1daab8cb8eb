using Espalier.Evaluator.Statistics;

namespace Espalier.Evaluator.Reports;

/// <summary>Two models on the same documents and items; differences are first minus second.</summary>
public sealed record ModelComparison
{
    /// <summary>Step of the first model.</summary>
    public required string First { get; init; }

    /// <summary>Step of the second model.</summary>
    public required string Second { get; init; }

    /// <summary>Difference of nats per token; null when the tokenizers differ.</summary>
    public PairedComparison? Loss { get; init; }

    /// <summary>Difference of bits per byte.</summary>
    public PairedComparison? BitsPerByte { get; init; }

    /// <summary>Difference of accuracy over all items.</summary>
    public PairedComparison? Accuracy { get; init; }

    /// <summary>Exact two-sided McNemar test of the same.</summary>
    public double? McNemarP { get; init; }

    internal static ModelComparison Of(
        int first, int second, IReadOnlyList<ModelResult> results, LossEstimates? losses, EvaluationMaterial material, EvaluateOptions options)
    {
        var sameTokens = results[first].Model.TokenizerDigest == results[second].Model.TokenizerDigest;
        var comparison = new ModelComparison
        {
            First = results[first].Model.Step,
            Second = results[second].Model.Step,
            Loss = losses is null || !sameTokens ? null : Compare(losses.Losses[first], losses.Losses[second], options),
            BitsPerByte = losses is null ? null : Compare(losses.BitsPerByte[first], losses.BitsPerByte[second], options),
        };
        return material.Items is null ? comparison : WithAccuracy(comparison, results[first], results[second], material, options);
    }

    private static ModelComparison WithAccuracy(
        ModelComparison comparison, ModelResult first, ModelResult second, EvaluationMaterial material, EvaluateOptions options)
    {
        var (a, b) = (ChoiceReport.Right(material.Items!, first.Choices!), ChoiceReport.Right(material.Items!, second.Choices!));
        var items = Enumerable.Repeat(1.0, a.Length).ToArray();
        var estimates = RatioEstimate.Of([new(AsNumbers(a), items), new(AsNumbers(b), items)], options.Resamples, options.Seed, "items");
        return comparison with
        {
            Accuracy = Compare(estimates[0], estimates[1], options),
            McNemarP = McNemar.TwoSided(a.Zip(b).Count(p => !p.First && p.Second), a.Zip(b).Count(p => p.First && !p.Second)),
        };
    }

    private static PairedComparison Compare(RatioEstimate first, RatioEstimate second, EvaluateOptions options) =>
        PairedComparison.Of(first.Value, second.Value, first.Resampled, second.Resampled, options.Confidence);

    private static double[] AsNumbers(bool[] right) => [.. right.Select(r => r ? 1.0 : 0)];
}
