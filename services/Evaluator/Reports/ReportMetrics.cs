using Espalier.Evaluator.Statistics;

namespace Espalier.Evaluator.Reports;

/// <summary>The numbers of a report that conditions, gates and tables read: <c>STEP.loss</c>, <c>STEP.loss-low</c>, ...</summary>
internal static class ReportMetrics
{
    /// <summary>By name, <c>STEP</c> being the step that made the model.</summary>
    public static IReadOnlyDictionary<string, double> Of(EvaluationReport report)
    {
        var metrics = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach (var model in report.Models)
            AddModel(metrics, model);
        foreach (var comparison in report.Comparisons.Where(c => c.Second == report.Protocol.Baseline))
            AddComparison(metrics, comparison);
        if (report.Xz?.BitsPerByte is { } xz)
            metrics["xz.bits-per-byte"] = xz;
        return metrics;
    }

    private static void AddModel(SortedDictionary<string, double> metrics, ModelReport model)
    {
        metrics[$"{model.Step}.total-parameters"] = model.TotalParameters;
        metrics[$"{model.Step}.active-parameters"] = model.ActiveParameters;
        metrics[$"{model.Step}.bytes"] = model.Bytes;
        if (model.ValidationLoss is { } loss)
        {
            AddInterval(metrics, $"{model.Step}.loss", loss.Loss);
            AddInterval(metrics, $"{model.Step}.perplexity", loss.Perplexity);
            AddInterval(metrics, $"{model.Step}.bits-per-byte", loss.BitsPerByte);
            metrics[$"{model.Step}.scored-tokens"] = loss.Tokens;
        }
        if (model.MultipleChoice is { } choices)
        {
            var all = choices.Count == 1 ? choices.Values.Single() : choices["all"];
            metrics[$"{model.Step}.accuracy"] = all.Accuracy;
            metrics[$"{model.Step}.accuracy-by-length"] = all.AccuracyByLength;
            metrics[$"{model.Step}.gold-margin"] = all.GoldMargin;
        }
        if (model.Agreement is { } agreement)
        {
            AddInterval(metrics, $"{model.Step}.kl-divergence", agreement.Divergence);
            metrics[$"{model.Step}.kl-divergence-p99"] = agreement.HighDivergence;
            AddInterval(metrics, $"{model.Step}.top-1-agreement", agreement.SameFirst);
        }
        if (model.Routing is { } routing)
        {
            metrics[$"{model.Step}.max-violation"] = routing.MaxViolation;
            metrics[$"{model.Step}.dead-experts"] = routing.DeadExperts;
            metrics[$"{model.Step}.load-cv"] = routing.LoadCv;
        }
    }

    private static void AddComparison(SortedDictionary<string, double> metrics, ModelComparison comparison)
    {
        AddDifference(metrics, $"{comparison.First}.loss-difference", comparison.Loss);
        AddDifference(metrics, $"{comparison.First}.bits-per-byte-difference", comparison.BitsPerByte);
        AddDifference(metrics, $"{comparison.First}.accuracy-difference", comparison.Accuracy);
    }

    private static void AddDifference(SortedDictionary<string, double> metrics, string name, PairedComparison? comparison)
    {
        if (comparison is null)
            return;
        AddInterval(metrics, name, comparison.Difference);
        Add(metrics, $"{name}-lower-bound", comparison.LowerBound);
        Add(metrics, $"{name}-upper-bound", comparison.UpperBound);
    }

    private static void AddInterval(SortedDictionary<string, double> metrics, string name, Interval interval)
    {
        metrics[name] = interval.Value;
        Add(metrics, $"{name}-low", interval.Low);
        Add(metrics, $"{name}-high", interval.High);
    }

    private static void Add(SortedDictionary<string, double> metrics, string name, double? value)
    {
        if (value is { } number)
            metrics[name] = number;
    }
}
