using System.Text.Json;
using System.Text.Json.Serialization;
using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Tasks;
using Espalier.Evaluator.Texts;
using Espalier.Modeling.WeightFormats;
using Espalier.Tokenizers;

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

    /// <summary>The numbers that conditions, gates and the registry read, by name: <c>STEP.loss</c>, <c>STEP.loss-low</c>, ...</summary>
    public required IReadOnlyDictionary<string, double> Metrics { get; init; }

    internal static EvaluationReport Build(
        EvaluateOptions options, EvaluationMaterial material, IReadOnlyList<ModelUnderTest> models, IReadOnlyList<NamedReport> reports, XzResult? xz)
    {
        var metrics = new MetricTable { { "xz.bits-per-byte", xz?.BitsPerByte } };
        return new EvaluationReport
        {
            Protocol = Protocol.Of(options, material),
            Models = [.. models.Select((model, i) => ModelReport.Of(model, i, reports, metrics))],
            Comparisons = [.. Pairs(options, models).Select(pair => ModelComparison.Of(pair.First, pair.Second, options, models, reports, metrics))],
            Xz = xz,
            Metrics = metrics.ToDictionary(),
        };
    }

    // Against the baseline alone when there is one named, otherwise every pair, later models against earlier ones.
    private static IEnumerable<(int First, int Second)> Pairs(EvaluateOptions options, IReadOnlyList<ModelUnderTest> models)
    {
        for (var first = 0; first < models.Count; first++)
        {
            for (var second = 0; second < models.Count; second++)
            {
                var isBaseline = models[second].Step == options.Baseline;
                if (first != second && (isBaseline || second < first && models[first].Step != options.Baseline))
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

    /// <summary>Number of weights.</summary>
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

    /// <summary>Its beginning-of-text token; null without a tokenizer.</summary>
    public BosReport? Bos { get; init; }

    /// <summary>What each task found, by the task's name.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement> Sections { get; init; } = [];

    /// <summary>What one task found; null when it was not asked for, or does not apply to the model.</summary>
    public T? Section<T>(string task) where T : class => Sections.TryGetValue(task, out var section) ? section.Deserialize<T>(WireJson.Options) : null;

    internal static ModelReport Of(ModelUnderTest model, int index, IReadOnlyList<NamedReport> reports, MetricTable metrics)
    {
        metrics.Add($"{model.Step}.total-parameters", model.Config.TotalParameters);
        metrics.Add($"{model.Step}.active-parameters", model.Config.ActiveParameters);
        metrics.Add($"{model.Step}.bytes", model.Bytes);
        var report = new ModelReport
        {
            Step = model.Step,
            Root = model.Root,
            TotalParameters = model.Config.TotalParameters,
            ActiveParameters = model.Config.ActiveParameters,
            WeightBytes = model.WeightBytes,
            Bytes = model.Bytes,
            WeightsReadFrom = model.Config.Quantization is not { } packed ? "plain"
                : $"packed {(WeightFormat.Of(packed.Format).IsFloatingPoint ? "float" : "int")}{packed.Bits}",
            Tokenizer = model.TokenizerOrNull?.Digest,
            Bos = model.TokenizerOrNull is { } tokenizer ? BosReport.Of(tokenizer) : null,
        };
        foreach (var (task, section) in reports.Select(r => (r.Task, r.Sections[index])))
        {
            if (section is null)
                continue;
            metrics.AddAll($"{model.Step}.", section.Metrics);
            if (section.Body is { } body)
                report.Sections[task] = JsonSerializer.SerializeToElement(body, body.GetType(), WireJson.Options);
        }
        return report;
    }
}

/// <summary>One task's share of the report: the task's name, its sections model by model, and what it makes comparisons with.</summary>
internal sealed record NamedReport(string Task, IReadOnlyList<ModelSection?> Sections, ITaskReport Report)
{
    public static NamedReport Of(IEvaluationTask task, TaskResults results)
    {
        var report = task.Report(results);
        return new NamedReport(task.Name, [.. Enumerable.Range(0, results.Models.Count).Select(report.OfModel)], report);
    }
}
