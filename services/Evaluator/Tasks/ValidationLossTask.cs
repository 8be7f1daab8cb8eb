using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Reports;
using Espalier.Evaluator.Statistics;

namespace Espalier.Evaluator.Tasks;

/// <summary>Loss per token, perplexity and bits per byte of held-out text, with intervals over documents.</summary>
internal sealed class ValidationLossTask : IEvaluationTask
{
    /// <summary>Its name in the option <c>tasks</c>.</summary>
    public const string TaskName = "validation-loss";

    /// <inheritdoc/>
    public string Name => TaskName;

    /// <inheritdoc/>
    public string Summary => "Loss per token, perplexity and bits per byte of held-out text.";

    /// <inheritdoc/>
    public EvaluationNeeds Needs => EvaluationNeeds.Documents;

    /// <inheritdoc/>
    public IReadOnlyList<string> Metrics { get; } =
    [
        "scored-tokens", .. MetricTable.NamesOfInterval("loss"), .. MetricTable.NamesOfInterval("perplexity"), .. MetricTable.NamesOfInterval("bits-per-byte"),
        $"loss.{StageMetric.Domain}",
    ];

    /// <inheritdoc/>
    public IReadOnlyList<string> PairMetrics { get; } =
    [
        .. MetricTable.NamesOfDifference("loss-difference"), .. MetricTable.NamesOfDifference("bits-per-byte-difference"),
        $"forgetting.{StageMetric.Domain}",
    ];

    /// <inheritdoc/>
    public async Task<object?> MeasureAsync(ModelMeasurement measurement, CancellationToken cancellationToken) =>
        await CorpusPass.OfAsync(measurement, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public ITaskReport Report(TaskResults results) =>
        new Losses(results, LossEstimates.Of(results.Material.Text!, results.All<CorpusResult>(), results.Options));

    private sealed class Losses(TaskResults results, LossEstimates estimates) : ITaskReport
    {
        public ModelSection OfModel(int model)
        {
            var loss = estimates.Report(model);
            var metrics = new MetricTable { { "scored-tokens", loss.Tokens } };
            metrics.Add("loss", loss.Loss);
            metrics.Add("perplexity", loss.Perplexity);
            metrics.Add("bits-per-byte", loss.BitsPerByte);
            foreach (var (domain, losses) in estimates.Domains)
                metrics.Add($"loss.{domain}", losses[model].Value);
            return new ModelSection(loss, metrics);
        }

        // Losses per token of different tokenizers cannot be compared, nor with and without the beginning-of-text token.
        public PairSection OfPair(int first, int second)
        {
            var isSameText = results.Models[first].TextDigest == results.Models[second].TextDigest;
            var loss = isSameText ? Compare(estimates.Losses[first], estimates.Losses[second]) : null;
            var bits = Compare(estimates.BitsPerByte[first], estimates.BitsPerByte[second]);
            var metrics = new MetricTable();
            metrics.Add("loss-difference", loss);
            metrics.Add("bits-per-byte-difference", bits);
            foreach (var (domain, losses) in isSameText ? estimates.Domains : [])
                metrics.Add($"forgetting.{domain}", Compare(losses[first], losses[second]));
            return new PairSection(new Dictionary<string, object?> { ["loss"] = loss, ["bits-per-byte"] = bits }, metrics);
        }

        private PairedComparison Compare(RatioEstimate first, RatioEstimate second) =>
            PairedComparison.Of(first, second, results.Options.Confidence);
    }
}
