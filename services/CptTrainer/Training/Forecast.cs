using System.Text.Json;
using Espalier.Modeling.Training;
using Espalier.Modeling.Training.Annealing;
using Espalier.Stages;

namespace Espalier.CptTrainer.Training;

/// <summary>What the end of a curve was expected to be at some step.</summary>
/// <param name="Step">Optimizer steps done then.</param>
/// <param name="Tokens">Tokens done then.</param>
/// <param name="Expected">Under the schedule of the run.</param>
/// <param name="Others">Under other schedules of the same length and peak, by their names.</param>
/// <param name="Law">What it follows from.</param>
public sealed record ForecastPoint(long Step, long Tokens, ExpectedLoss Expected, IReadOnlyDictionary<string, ExpectedLoss> Others, AnnealingLaw Law);

/// <summary>
/// Says at twenty points of a run, from a tenth of it on, what its training loss will be at the end: the law of annealing, fitted to the
/// curve so far.
/// </summary>
internal sealed class Forecast(TrainPlan plan, IStageProgress progress, bool isContinued)
{
    /// <summary>Metric of the expected loss; with a dot and a schedule's name, under that.</summary>
    public const string Name = "expected-final-loss";

    private const int Forecasts = 20;
    private const double FirstShare = 0.1;
    private static readonly ScheduleKind[] Compared = [ScheduleKind.Cosine, ScheduleKind.Wsd, ScheduleKind.Constant];

    /// <summary>All metrics that may be reported.</summary>
    public static IEnumerable<string> Names { get; } = [Name, $"{Name}-low", $"{Name}-high", .. Compared.Select(kind => $"{Name}.{NameOf(kind)}")];

    /// <summary>Looks ahead after <paramref name="step"/> steps, if it is time: into the record, and for whoever watches.</summary>
    public void After(long step, TrainingRecord record)
    {
        if (record.History.LastOrDefault() is not { } point || point.Step != step || !IsTime(step))
            return;
        var half = (plan.HistoryEvery + 1) / 2.0; // a point is the mean of the steps before it
        var fit = AnnealingFit.Of(plan.Schedule, [.. record.History.Select(p => new CurvePoint(p.Step - half, p.Loss))], isContinued);
        if (fit is null)
            return;
        var others = Compared.Where(kind => kind != plan.Schedule.Kind).Take(2)
            .ToDictionary(NameOf, kind => fit.AtEndOf(plan.Schedule with { Kind = kind, FinalShare = null }));
        record.Forecasts.Add(new ForecastPoint(step, point.Tokens, fit.AtEndOf(plan.Schedule), others, fit.Law));
        var metrics = MetricsOf(record);
        point.Note(metrics);
        foreach (var (name, value) in metrics)
            progress.Metric(name, value);
    }

    /// <summary>What the last forecast says, by metric.</summary>
    public static IReadOnlyDictionary<string, double> MetricsOf(TrainingRecord record)
    {
        if (record.Forecasts is not [.., var last])
            return new Dictionary<string, double>();
        var metrics = last.Others.ToDictionary(other => $"{Name}.{other.Key}", other => other.Value.Value);
        (metrics[Name], metrics[$"{Name}-low"], metrics[$"{Name}-high"]) = (last.Expected.Value, last.Expected.Low, last.Expected.High);
        return metrics;
    }

    /// <summary>The curve that was expected half way, over the whole run; empty where there was no forecast by then.</summary>
    public static IReadOnlyList<ExpectedPoint> CurveOf(TrainingRecord record, TrainPlan plan)
    {
        const int Points = 100;
        if (record.Forecasts.LastOrDefault(f => f.Step <= (plan.Steps + 1) / 2) is not { } forecast)
            return [];
        double[] steps = [.. Enumerable.Range(1, Points).Select(i => plan.Schedule.WarmUp + (plan.Steps - plan.Schedule.WarmUp) * (double)i / Points)];
        return [.. forecast.Law.Along(plan.Schedule, steps).Select((loss, i) => new ExpectedPoint((long)(steps[i] * plan.TokensPerStep), loss))];
    }

    // The first point of the history in every twentieth of the run.
    private bool IsTime(long step) => step >= FirstShare * plan.Steps
        && (step == plan.Steps || step * Forecasts / plan.Steps > (step - plan.HistoryEvery) * Forecasts / plan.Steps);

    private static string NameOf(ScheduleKind kind) => JsonNamingPolicy.KebabCaseLower.ConvertName(kind.ToString());
}

/// <summary>A point of an expected curve.</summary>
/// <param name="Tokens">Tokens done.</param>
/// <param name="Loss">Nats per token.</param>
public readonly record struct ExpectedPoint(long Tokens, double Loss);
