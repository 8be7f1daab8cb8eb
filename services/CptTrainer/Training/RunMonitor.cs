using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Modeling.Runtime;
using Espalier.Modeling.Training;
using Espalier.Stages;

namespace Espalier.CptTrainer.Training;

/// <summary>What is known of a run while it runs: every number of the report's history, held-out losses, the expected end, speed.</summary>
internal sealed class RunMonitor
{
    private readonly StageContext _context;
    private readonly TrainOptions _options;
    private readonly TrainPlan _plan;
    private readonly StartingPoint _start;
    private readonly Validation? _validation;
    private readonly Forecast _forecast;
    private readonly SpeedMeter _speed;

    /// <summary>Opens what it measures on.</summary>
    public static async Task<RunMonitor> OpenAsync(
        StageContext context, TrainOptions options, TrainPlan plan, StartingPoint start, TimeProvider time, CancellationToken cancellationToken)
    {
        var validation = await Validation.OpenAsync(context, options, plan, start, cancellationToken).ConfigureAwait(false);
        return new RunMonitor(context, options, plan, start, validation, time);
    }

    private RunMonitor(StageContext context, TrainOptions options, TrainPlan plan, StartingPoint start, Validation? validation, TimeProvider time)
    {
        (_context, _options, _plan, _start, _validation) = (context, options, plan, start, validation);
        _forecast = new Forecast(plan, context.Progress, start.Source is not null);
        _speed = new SpeedMeter(time, context.Progress, ProductPeak.Measure(start.Decoder));
    }

    /// <summary>What is being done, as it is shown.</summary>
    public string Phase { get; set; } = "training";

    /// <summary>Looks at the model before the first step, if it has not been looked at.</summary>
    public void Begin(long first, TrainingRecord record)
    {
        if (first == 0)
            _validation?.After(0, _start.Decoder, record, _plan);
    }

    /// <summary>Looks at what several workers made together.</summary>
    public void AfterExchange(long step, TrainingRecord record) => _validation?.AfterExchange(step, _start.Decoder, record, _plan);

    /// <summary>Looks at a finished step that the record has.</summary>
    /// <param name="step">The step.</param>
    /// <param name="outcome">What it saw.</param>
    /// <param name="rate">Its learning rate.</param>
    /// <param name="operations">Arithmetic that it took.</param>
    /// <param name="record">The record.</param>
    /// <exception cref="UserInputException">The run has diverged.</exception>
    public void After(long step, StepOutcome outcome, double rate, double operations, TrainingRecord record)
    {
        var progress = _context.Progress;
        progress.Report(Phase, (step + 1) * _plan.TokensPerStep, _plan.Tokens, "tokens");
        Report(progress, outcome, rate);
        progress.ExpertLoad(outcome.Counts);
        if (record.Load.LastOrDefault()?.Step == step + 1 && SymmetryMetrics.Distance(_start.Decoder) is { } distance)
            progress.Metric(SymmetryMetrics.DistanceName, distance);
        if (_start.Data.Workers == 1)
            _validation?.After(step + 1, _start.Decoder, record, _plan);
        _forecast.After(step + 1, record);
        _speed.Add(_plan.TokensPerStep / _start.Data.Workers, operations);
        if (record.Watch.HasDiverged(_options.MaxRise))
        {
            var rise = FormattableString.Invariant(
                $"the median loss of the last {DivergenceWatch.Window} optimizer steps is {record.Watch.Median:f2}, {record.Watch.Lowest:f2} at best,");
            throw new UserInputException($"{DivergedRun.Describe(_context, _start.Data, step, rate, rise)} max-rise says how far it may rise, 0 for any.");
        }
    }

    /// <summary>What the result's metrics tell of it.</summary>
    public IReadOnlyDictionary<string, double> MetricsOf(TrainingRecord record) =>
        (_validation?.MetricsOf(record) ?? new Dictionary<string, double>()).Concat(Forecast.MetricsOf(record)).ToDictionary();

    // Under the names of the report's history.
    private static void Report(IStageProgress progress, StepOutcome outcome, double rate)
    {
        progress.Metric("loss", outcome.Loss);
        progress.Metric("learning-rate", rate);
        progress.Metric("grad-norm", outcome.GradientNorm);
        if (outcome.Divergence is { } divergence)
            progress.Metric("divergence", divergence);
        if (outcome.FeatureDistance is { } distance)
            progress.Metric("feature-distance", distance);
        if (outcome.Dropped is { } dropped)
            progress.Metric("dropped", dropped);
        if (outcome.ExpertsPerToken is { } perToken)
            progress.Metric("experts-per-token", perToken);
        if (outcome.Counts.All(layer => layer.Count == 0))
            return; // a dense model
        progress.Metric("balance-loss", outcome.BalanceLoss);
        progress.Metric("router-z-loss", outcome.RouterZLoss);
        progress.Metric("max-violation", LoadMetrics.MaxViolationOf(outcome.Counts));
        progress.Metric("load-entropy", LoadMetrics.EntropyOf(outcome.Counts));
        progress.Metric("dead-experts", LoadMetrics.DeadShareOf(outcome.Counts));
    }
}
