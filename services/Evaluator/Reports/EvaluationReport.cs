using Espalier.Contracts;
using Espalier.Evaluator.Routing;
using Espalier.Evaluator.Statistics;
using Espalier.Evaluator.Texts;

namespace Espalier.Evaluator.Reports;

/// <summary>What <c>report.json</c> holds.</summary>
public sealed record EvaluationReport
{
    /// <summary>Tells reports apart.</summary>
    public string Kind { get; init; } = "evaluation";

    /// <summary>How the numbers came about; numbers of different protocols cannot be compared.</summary>
    public required Protocol Protocol { get; init; }

    /// <summary>One entry per model.</summary>
    public required IReadOnlyList<ModelReport> Models { get; init; }

    /// <summary>Every pair of models on the same documents.</summary>
    public required IReadOnlyList<ModelComparison> Comparisons { get; init; }

    /// <summary><c>xz -9</c> on the same text.</summary>
    public XzResult? Xz { get; init; }

    /// <summary>The numbers that conditions, gates and the registry read, by name.</summary>
    public IReadOnlyDictionary<string, double> Metrics => ReportMetrics.Of(this);

    internal static EvaluationReport Build(EvaluateOptions options, EvaluationMaterial material, IReadOnlyList<ModelResult> results, string? reference, XzResult? xz)
    {
        var losses = material.Text is { } text && options.Tasks.Contains(EvaluateOptions.ValidationLoss)
            ? LossEstimates.Of(text, [.. results.Select(r => r.Corpus!)], options)
            : null;
        return new EvaluationReport
        {
            Protocol = Protocol.Of(options, material),
            Models = [.. results.Select((result, i) => ModelReport.Of(result, losses?.Report(i), material, result.Agreement is { } agreement ? AgreementReport.Of(reference!, agreement, material.Text!, options) : null))],
            Comparisons = [.. Pairs(options, results).Select(pair => ModelComparison.Of(pair.First, pair.Second, results, losses, material, options))],
            Xz = xz,
        };
    }

    // Against the baseline alone when there is one named, otherwise every pair, later models against earlier ones.
    private static IEnumerable<(int First, int Second)> Pairs(EvaluateOptions options, IReadOnlyList<ModelResult> results)
    {
        for (var first = 0; first < results.Count; first++)
        {
            for (var second = 0; second < results.Count; second++)
            {
                var isBaseline = results[second].Model.Step == options.Baseline;
                if (first != second && (isBaseline || second < first && results[first].Model.Step != options.Baseline))
                    yield return (first, second);
            }
        }
    }
}

/// <summary>One model's results.</summary>
public sealed record ModelReport
{
    /// <summary>Step that made the model.</summary>
    public required string Step { get; init; }

    /// <summary>Digest of its manifest.</summary>
    public required Digest Root { get; init; }

    /// <summary>All weights.</summary>
    public required long TotalParameters { get; init; }

    /// <summary>Weights that one token uses.</summary>
    public required long ActiveParameters { get; init; }

    /// <summary>Bytes of the weights as stored.</summary>
    public required long WeightBytes { get; init; }

    /// <summary>Bytes of everything in its manifest.</summary>
    public required long Bytes { get; init; }

    /// <summary>How weights were read: <c>plain</c>, or <c>packed int4</c> expanded while loading.</summary>
    public required string WeightsReadFrom { get; init; }

    /// <summary>Digest of the tokenizer, null without one; per-token losses of different tokenizers cannot be compared.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>Loss, perplexity, bits per byte.</summary>
    public LossReport? ValidationLoss { get; init; }

    /// <summary>Multiple choice, by set.</summary>
    public IReadOnlyDictionary<string, ChoiceReport>? MultipleChoice { get; init; }

    /// <summary>Routing.</summary>
    public RoutingResult? Routing { get; init; }

    /// <summary>How far it strays from the reference model.</summary>
    public AgreementReport? Agreement { get; init; }

    internal static ModelReport Of(ModelResult result, LossReport? loss, EvaluationMaterial material, AgreementReport? agreement)
    {
        var config = result.Model.Config;
        return new ModelReport
        {
            Step = result.Model.Step,
            Root = result.Model.Root,
            TotalParameters = config.TotalParameters,
            ActiveParameters = config.ActiveParameters,
            WeightBytes = result.Model.WeightBytes,
            Bytes = result.Model.Bytes,
            WeightsReadFrom = config.Quantization is { } packed ? $"packed int{packed.Bits}" : "plain",
            Tokenizer = result.Model.TokenizerDigest,
            ValidationLoss = loss,
            MultipleChoice = result.Choices is null ? null : ChoiceReport.BySet(material.Items!, result.Choices),
            Routing = result.Corpus?.Routing,
            Agreement = agreement,
        };
    }
}
