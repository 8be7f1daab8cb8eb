using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Routing;

namespace Espalier.Evaluator.Tasks;

/// <summary>How tokens of held-out text spread over experts; nothing for a dense model.</summary>
internal sealed class RoutingTask : IEvaluationTask
{
    /// <summary>Its name in the option <c>tasks</c>.</summary>
    public const string TaskName = "routing";

    /// <inheritdoc/>
    public string Name => TaskName;

    /// <inheritdoc/>
    public string Summary => "How the tokens of held-out text spread over experts.";

    /// <inheritdoc/>
    public EvaluationNeeds Needs => EvaluationNeeds.Documents;

    /// <inheritdoc/>
    public IReadOnlyList<string> Metrics { get; } = ["max-violation", "dead-experts", "load-cv", "router-similarity", "router-alignment"];

    /// <inheritdoc/>
    public async Task<object?> MeasureAsync(ModelMeasurement measurement, CancellationToken cancellationToken) =>
        (await CorpusPass.OfAsync(measurement, cancellationToken).ConfigureAwait(false)).Routing;

    /// <inheritdoc/>
    public ITaskReport Report(TaskResults results) => new Spread(results);

    private sealed class Spread(TaskResults results) : ITaskReport
    {
        public ModelSection? OfModel(int model) => results.Of<RoutingResult>(model) is not { } routing ? null : new ModelSection(routing, new MetricTable
        {
            { "max-violation", routing.MaxViolation },
            { "dead-experts", routing.DeadExperts },
            { "load-cv", routing.LoadCv },
            { "router-similarity", routing.RouterSimilarity },
            { "router-alignment", routing.RouterAlignment },
        });
    }
}
