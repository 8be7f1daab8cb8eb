using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Surgery;
using Espalier.Surgery.Calibration;
using Espalier.Upcycler.Calibration;
using Espalier.Upcycler.Growth;
using Espalier.Upcycler.Methods;
using Espalier.Upcycler.Methods.Models;

namespace Espalier.Upcycler;

/// <summary>What the stage reports about a model that was grown as a whole.</summary>
internal sealed record ModelGrowthReport(GrowthOptions Options, IModelGrowth Method, MoeCheckpoint Before, MoeCheckpoint After)
{
    /// <summary>What whoever uses the model must know, see <see cref="Stages.StageResult.Notes"/>.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>How the function changed, when there was text to measure it on.</summary>
    public FunctionChange? Change { get; init; }

    /// <summary>The calibration text; null when there is none.</summary>
    public CalibrationTokens? Text { get; init; }

    /// <summary>The metrics of every report, those of depth stacking with a goal, and those that are measured on calibration text.</summary>
    public static readonly string[] MetricNames = ["experts", "layers", "total-parameters", "active-parameters", "bytes-new"],
        TimingNames = ["recommended-tokens-before"],
        MeasuredNames = ["loss-before", "loss-after", "largest-logit-difference"];

    public IReadOnlyDictionary<string, double> Metrics()
    {
        var metrics = new Dictionary<string, double>
        {
            ["experts"] = After.Config.Experts,
            ["layers"] = After.Config.Layers,
            ["total-parameters"] = After.Config.TotalParameters,
            ["active-parameters"] = After.Config.ActiveParameters,
            ["bytes-new"] = SurgeryReport.NewBytes(Before.Manifest, After.Manifest),
        };
        if (Method is DepthStacking && Options.Own<DepthOptions>().TotalTokens is { } tokens)
            metrics["recommended-tokens-before"] = StackTiming.SmallModelTokens(After.Config.TotalParameters, tokens);
        if (Change is not null)
        {
            metrics["loss-before"] = Change.LossBefore;
            metrics["loss-after"] = Change.LossAfter;
            metrics["largest-logit-difference"] = Change.LargestLogitDifference;
        }
        return metrics;
    }

    public JsonObject ToJson(IReadOnlyDictionary<string, double> metrics) => new()
    {
        ["method"] = Method.Name,
        ["options"] = JsonSerializer.SerializeToNode(Options.Stage, WireJson.Options),
        ["shape"] = new JsonObject { ["before"] = Shape(Before), ["after"] = Shape(After) },
        ["metrics"] = new JsonObject(metrics.Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value))),
        ["notes"] = new JsonArray([.. Notes.Select(note => (JsonNode)note)]),
        ["calibration"] = Text?.ToJson(),
        ["function-change"] = Change is null ? null : JsonSerializer.SerializeToNode(Change, WireJson.Options),
    };

    private static JsonObject Shape(MoeCheckpoint model) => new()
    {
        ["family"] = model.Config.Family,
        ["layers"] = model.Config.Layers,
        ["experts"] = model.Config.Experts,
        ["experts-per-token"] = model.Config.ExpertsPerToken,
        ["expert-size"] = model.Config.ExpertSize,
        ["shared-size"] = model.Config.SharedSize,
        ["total-parameters"] = model.Config.TotalParameters,
        ["active-parameters"] = model.Config.ActiveParameters,
    };
}
