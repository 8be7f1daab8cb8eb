using System.Text.Json;
using System.Text.Json.Serialization;
using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Tasks;

namespace Espalier.Evaluator.Reports;

/// <summary>Two models on the same documents and items; differences are first minus second.</summary>
public sealed record ModelComparison
{
    /// <summary>Step of the first model.</summary>
    public required string First { get; init; }

    /// <summary>Step of the second model.</summary>
    public required string Second { get; init; }

    /// <summary>
    /// What each task found: <c>loss</c> (left out when the tokenizers differ), <c>bits-per-byte</c>, <c>accuracy</c>, <c>mc-nemar-p</c>, ...
    /// </summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement> Entries { get; init; } = [];

    internal static ModelComparison Of(
        int first, int second, EvaluateOptions options, IReadOnlyList<ModelUnderTest> models, IReadOnlyList<NamedReport> reports, MetricTable metrics)
    {
        var comparison = new ModelComparison { First = models[first].Step, Second = models[second].Step };
        foreach (var section in reports.Select(report => report.Report.OfPair(first, second)).OfType<PairSection>())
        {
            if (comparison.Second == options.Baseline)
                metrics.AddAll($"{comparison.First}.", section.Metrics);
            foreach (var (name, value) in section.Entries.Where(entry => entry.Value is not null))
                comparison.Entries[name] = JsonSerializer.SerializeToElement(value, value!.GetType(), WireJson.Options);
        }
        return comparison;
    }
}
