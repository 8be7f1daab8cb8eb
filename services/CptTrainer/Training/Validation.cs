using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Datasets;
using Espalier.Modeling;
using Espalier.Stages;

namespace Espalier.CptTrainer.Training;

/// <summary>
/// Measures the held-out loss of every domain before the first step, at intervals and after the last step. Forgetting is the loss of a
/// domain now less that of the model before training. It changes no bit of the training.
/// </summary>
internal sealed class Validation
{
    /// <summary>Metric of the loss on all held-out text; with a dot and a domain's name, on that.</summary>
    public const string LossName = "held-out-loss";

    /// <summary>Metric, with a dot and a domain's name, of how much a model that was trained before has lost of it.</summary>
    public const string ForgettingName = "forgetting";

    /// <summary>All metrics that may be reported.</summary>
    public static IReadOnlyList<string> Names { get; } = [LossName, $"{LossName}.{StageMetric.Domain}", $"{ForgettingName}.{StageMetric.Domain}"];

    private readonly HeldOutText _text;
    private readonly IStageProgress _progress;
    private readonly bool _isContinued;

    private Validation(HeldOutText text, IStageProgress progress, bool isContinued, long every) =>
        (_text, _progress, _isContinued, Every) = (text, progress, isContinued, every);

    /// <summary>Optimizer steps between measurements.</summary>
    public long Every { get; }

    /// <summary>Opens the text; null where the options ask for no measurements.</summary>
    public static async Task<Validation?> OpenAsync(
        StageContext context, TrainOptions options, TrainPlan plan, StartingPoint start, CancellationToken cancellationToken)
    {
        if (options.Validate is not { } validate)
            return null;
        var dataset = await TextDataset.OpenAsync(context.Artifacts, context.Dataset(), cancellationToken).ConfigureAwait(false);
        var text = await HeldOutText.OpenAsync(context, options, validate, dataset, start.Tokenizer, cancellationToken).ConfigureAwait(false);
        var steps = TrainPlan.StepsOf(options, validate.Every ?? Math.Max(1, plan.Tokens / 10));
        var every = (steps + plan.HistoryEvery - 1) / plan.HistoryEvery * plan.HistoryEvery; // where the history has a point
        return new Validation(text, context.Progress, start.Source is not null, every);
    }

    /// <summary>Measures after <paramref name="step"/> steps, if it is time: into the record, and for whoever watches.</summary>
    public void After(long step, MoeDecoder decoder, TrainingRecord record, TrainPlan plan)
    {
        if (step == 0 || step % Every == 0 || step == plan.Steps)
            Measure(step, decoder, record, plan);
    }

    /// <summary>As <see cref="After"/> where a model can be measured at some steps only: when the last time is long enough ago.</summary>
    public void AfterExchange(long step, MoeDecoder decoder, TrainingRecord record, TrainPlan plan)
    {
        if (step == plan.Steps || record.HeldOut is not [.., var last] || step - last.Step >= Every)
            Measure(step, decoder, record, plan);
    }

    private void Measure(long step, MoeDecoder decoder, TrainingRecord record, TrainPlan plan)
    {
        if (record.HeldOut.LastOrDefault()?.Step == step)
            return;
        var losses = _text.Measure(decoder);
        record.HeldOut.Add(new HeldOutPoint(step, step * plan.TokensPerStep, losses.All, losses.Domains));
        var metrics = MetricsOf(record);
        foreach (var (name, value) in metrics)
            _progress.Metric(name, value);
        if (record.History.LastOrDefault() is { } point && point.Step == step)
            point.Note(metrics);
    }

    /// <summary>What the last measurement says, by metric.</summary>
    public IReadOnlyDictionary<string, double> MetricsOf(TrainingRecord record)
    {
        var (first, last) = (record.HeldOut[0], record.HeldOut[^1]);
        var metrics = new Dictionary<string, double> { [LossName] = last.Loss };
        foreach (var (domain, loss) in last.Domains)
        {
            metrics[$"{LossName}.{domain}"] = loss;
            if (_isContinued)
                metrics[$"{ForgettingName}.{domain}"] = loss - first.Domains[domain];
        }
        return metrics;
    }
}
