using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Statistics;
using Espalier.Evaluator.Texts;

namespace Espalier.Evaluator.Reports;

/// <summary>How far a model strays from the reference on the held-out text. A small change of the loss does not imply a small divergence.</summary>
public sealed record AgreementReport
{
    /// <summary>Step that made the reference.</summary>
    public required string Reference { get; init; }

    /// <summary>Mean KL divergence of the model from the reference, nats per token, over the full vocabulary.</summary>
    public required Interval Divergence { get; init; }

    /// <summary>Its median over tokens.</summary>
    public required double MedianDivergence { get; init; }

    /// <summary>Its 99th percentile over tokens.</summary>
    public required double HighDivergence { get; init; }

    /// <summary>Share of tokens for which both put the same one first.</summary>
    public required Interval SameFirst { get; init; }

    /// <summary>Mean share of the reference's five likeliest tokens that are among the model's five.</summary>
    public required double LikeliestOverlap { get; init; }

    /// <summary>Share of tokens that the reference's first choice hits and the model's misses.</summary>
    public required double RightToWrong { get; init; }

    /// <summary>Share of tokens that the model's first choice hits and the reference's misses.</summary>
    public required double WrongToRight { get; init; }

    /// <summary>Tokens compared.</summary>
    public required long Tokens { get; init; }

    /// <summary>Mean divergence of each domain, when there are several.</summary>
    public IReadOnlyDictionary<string, double>? Domains { get; init; }

    internal static AgreementReport Of(string reference, AgreementResult result, HeldOutText text, EvaluateOptions options)
    {
        var counts = result.Tokens.Select(t => (double)t).ToArray();
        var estimates = RatioEstimate.Of([new DocumentRatios(result.Divergence, counts), new DocumentRatios(result.SameFirst, counts)],
            options.Resamples, options.Seed, "documents/agreement");
        var perToken = result.PerToken.Select(t => (double)t).Order().ToArray();
        var tokens = result.Tokens.Sum();
        return new AgreementReport
        {
            Reference = reference,
            Divergence = estimates[0].Interval(options.Confidence),
            MedianDivergence = Interval.Quantile(perToken, 0.5),
            HighDivergence = Interval.Quantile(perToken, 0.99),
            SameFirst = estimates[1].Interval(options.Confidence),
            LikeliestOverlap = result.Overlap / tokens,
            RightToWrong = (double)result.RightToWrong / tokens,
            WrongToRight = (double)result.WrongToRight / tokens,
            Tokens = tokens,
            Domains = text.Domains.Count == 1 ? null : Enumerable.Range(0, text.Documents.Count)
                .GroupBy(d => text.Documents[d].Domain)
                .ToDictionary(domain => text.Domains[domain.Key], domain => domain.Sum(d => result.Divergence[d]) / domain.Sum(d => result.Tokens[d])),
        };
    }
}
