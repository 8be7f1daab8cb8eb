using Espalier.Evaluator.Statistics;
using Espalier.Tokenizers;

namespace Espalier.Evaluator.Reports;

/// <summary>How the numbers came about, in words and numbers.</summary>
public sealed record Protocol
{
    /// <summary>How text is cut and scored.</summary>
    public string Text { get; init; } =
        "Documents of a domain one after another, each followed by the end token, cut into disjoint windows; the first token of a window is " +
        "conditioned on the token before it (the first of a domain on an end token), so every token is scored once, end tokens included. " +
        "Where a model's 'bos' is added, that token begins every document instead; it is read and never scored.";

    /// <summary>How likelihoods are computed.</summary>
    public string Likelihood { get; init; } = "log-softmax in float32, sums in float64; loss in nats per token, bits per byte over the UTF-8 bytes of the "
        + "documents";

    /// <summary>How intervals are computed.</summary>
    public string Intervals { get; init; } = "over documents, ratio of sums: percentile bootstrap with the same draws for every model from "
        + $"{RatioEstimate.FewestForBootstrap} documents on, Student's t over the jackknife's standard error below";

    /// <summary>Which documents of the dataset.</summary>
    public required string Split { get; init; }

    /// <summary>Tokens of a window.</summary>
    public required int Length { get; init; }

    /// <summary>Number format of weights and activations.</summary>
    public required string Precision { get; init; }

    /// <summary>Whether documents begin with a beginning-of-text token: what was asked for.</summary>
    public required BosUse Bos { get; init; }

    /// <summary>Number of documents.</summary>
    public int? Documents { get; init; }

    /// <summary>Their UTF-8 bytes.</summary>
    public long? Bytes { get; init; }

    /// <summary>Names of the domains.</summary>
    public IReadOnlyList<string>? Domains { get; init; }

    /// <summary>Number of multiple-choice items.</summary>
    public int? Items { get; init; }

    /// <summary>How their choices are scored; null without items.</summary>
    public string? Choices { get; init; }

    /// <summary>Coverage of the intervals.</summary>
    public required double Confidence { get; init; }

    /// <summary>Number of bootstrap draws.</summary>
    public required int Resamples { get; init; }

    /// <summary>Seed of the draws.</summary>
    public required long Seed { get; init; }

    /// <summary>Model that the others are compared with.</summary>
    public string? Baseline { get; init; }

    private const string HowChoicesAreScored =
        "Context and choice are tokenized together, and the tokens of the choice are scored, as in lm-evaluation-harness; white space at the end of "
        + "the context belongs to the choice. A beginning-of-text token stands before the context where 'bos' adds one, and is never scored: that "
        + "harness adds one with add_bos_token only, so its default compares with 'bos: never'. Without a context and without that token, a choice "
        + "is conditioned on the end token. What exceeds the model's positions is cut from the left of the context; such items are in 'cut-items'.";

    internal static Protocol Of(EvaluateOptions options, EvaluationMaterial material) => new()
    {
        Split = options.Split,
        Length = material.Length,
        Precision = options.Precision,
        Bos = options.Bos,
        Documents = material.Text?.Documents.Count,
        Bytes = material.Text?.Bytes,
        Domains = material.Text?.Domains,
        Items = material.Items?.Count,
        Choices = material.Items is null ? null : HowChoicesAreScored,
        Confidence = options.Confidence,
        Resamples = options.Resamples,
        Seed = options.Seed,
        Baseline = options.Baseline,
    };
}
