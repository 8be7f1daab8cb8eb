using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Reports;

namespace Espalier.Evaluator.Tasks;

/// <summary>Divergence of the predictions from those of a reference model, and how often both choose the same token.</summary>
internal sealed class AgreementTask : IEvaluationTask
{
    /// <summary>Its name in the option <c>tasks</c>.</summary>
    public const string TaskName = "agreement";

    /// <inheritdoc/>
    public string Name => TaskName;

    /// <inheritdoc/>
    public string Summary => "Divergence of the predictions from those of a reference model, token by token.";

    /// <inheritdoc/>
    public EvaluationNeeds Needs => EvaluationNeeds.Documents;

    /// <inheritdoc/>
    public IReadOnlyList<string> Metrics { get; } =
    [
        "kl-divergence-p99", .. MetricTable.NamesOfInterval("kl-divergence"), .. MetricTable.NamesOfInterval("top-1-agreement"),
    ];

    /// <inheritdoc/>
    public int ModelsAtOnce => 2;

    /// <inheritdoc/>
    public void Check(EvaluateOptions options, IReadOnlyList<ModelUnderTest> models)
    {
        if (models.Count < 2)
            throw new UserInputException(
                "The task 'agreement' compares models with a reference: name at least two models, the reference first or in 'reference'.");
        if (FindReference(options, models) is null)
            throw new UserInputException(
                $"'reference' is '{ReferenceName(options, models)}'; the models come from {string.Join(", ", models.Select(m => $"'{m.Step}'"))}.");
    }

    /// <inheritdoc/>
    public async Task<object?> MeasureAsync(ModelMeasurement measurement, CancellationToken cancellationToken)
    {
        var (reference, model) = (FindReference(measurement.Options, measurement.Models)!, measurement.Model);
        if (model == reference)
            return null;
        return await measurement.KeepAsync(
            TaskName, runner => AgreementPass.RunAsync(measurement, reference, runner, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ITaskReport Report(TaskResults results) => new Divergences(results);

    private static string ReferenceName(EvaluateOptions options, IReadOnlyList<ModelUnderTest> models) =>
        options.Reference ?? options.Baseline ?? models[0].Step;

    private static ModelUnderTest? FindReference(EvaluateOptions options, IReadOnlyList<ModelUnderTest> models) =>
        models.FirstOrDefault(model => model.Step == ReferenceName(options, models));

    private sealed class Divergences(TaskResults results) : ITaskReport
    {
        public ModelSection? OfModel(int model)
        {
            if (results.Of<AgreementResult>(model) is not { } found)
                return null;
            var agreement = AgreementReport.Of(ReferenceName(results.Options, results.Models), found, results.Material.Text!, results.Options);
            var metrics = new MetricTable { { "kl-divergence-p99", agreement.HighDivergence } };
            metrics.Add("kl-divergence", agreement.Divergence);
            metrics.Add("top-1-agreement", agreement.SameFirst);
            return new ModelSection(agreement, metrics);
        }
    }
}
