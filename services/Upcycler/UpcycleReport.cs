using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Surgery;
using Espalier.Surgery.Calibration;
using Espalier.Upcycler.Calibration;
using Espalier.Upcycler.Duplication;
using Espalier.Upcycler.Planning;
using Espalier.Upcycler.Routers;

namespace Espalier.Upcycler;

/// <summary>What the stage reports: where every expert comes from, on what evidence, and what the growth cost.</summary>
internal sealed record UpcycleReport(UpcycleOptions Options, MoeCheckpoint Before, MoeCheckpoint After, IReadOnlyList<LayerPlan> Plans)
{
    /// <summary>Tokens per layer and expert behind gradient scores.</summary>
    public IReadOnlyList<long[]>? Tokens { get; init; }

    /// <summary>What whoever uses the model must know, see <see cref="Stages.StageResult.Notes"/>.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>How the function changed, when there was text to measure it on.</summary>
    public FunctionChange? Change { get; init; }

    /// <summary>The calibration text; null when there is none.</summary>
    public CalibrationTokens? Text { get; init; }

    /// <summary>The metrics of every report, and those that are measured on calibration text.</summary>
    public static readonly string[] MetricNames = ["experts", "total-parameters", "active-parameters", "bytes-new"],
        MeasuredNames =
        [
            "loss-before", "loss-after", "largest-logit-difference", "distinct-sources", "distinct-sources-before", "sibling-co-selection",
        ];

    public IReadOnlyDictionary<string, double> Metrics()
    {
        var metrics = new Dictionary<string, double>
        {
            ["experts"] = After.Config.Experts,
            ["total-parameters"] = After.Config.TotalParameters,
            ["active-parameters"] = After.Config.ActiveParameters,
            ["bytes-new"] = SurgeryReport.NewBytes(Before.Manifest, After.Manifest),
        };
        if (Change is not null)
        {
            metrics["loss-before"] = Change.LossBefore;
            metrics["loss-after"] = Change.LossAfter;
            metrics["largest-logit-difference"] = Change.LargestLogitDifference;
            metrics["distinct-sources"] = Change.DistinctSources.Average();
            metrics["distinct-sources-before"] = Change.DistinctSourcesBefore.Average();
            metrics["sibling-co-selection"] = Change.SiblingCoSelection.Average();
        }
        return metrics;
    }

    public JsonObject ToJson(IReadOnlyDictionary<string, double> metrics) => new()
    {
        ["method"] = Options.Method,
        ["multiplier"] = (double)After.Config.Experts / Before.Config.Experts,
        ["options"] = JsonSerializer.SerializeToNode(Options, WireJson.Options),
        ["experts-per-token"] = new JsonObject { ["before"] = Before.Config.ExpertsPerToken, ["after"] = After.Config.ExpertsPerToken },
        ["parameters"] = new JsonObject
        {
            ["total-before"] = Before.Config.TotalParameters,
            ["total-after"] = After.Config.TotalParameters,
            ["active-before"] = Before.Config.ActiveParameters,
            ["active-after"] = After.Config.ActiveParameters,
        },
        ["metrics"] = new JsonObject(metrics.Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value))),
        ["notes"] = new JsonArray([.. Notes.Select(note => (JsonNode)note)]),
        ["calibration"] = Text?.ToJson(),
        ["function-change"] = Change is null ? null : JsonSerializer.SerializeToNode(Change, WireJson.Options),
        ["layers"] = new JsonArray([.. Plans.Select(Layer)]),
    };

    private JsonObject Layer(LayerPlan plan) => new()
    {
        ["layer"] = plan.Layer,
        ["duplication"] = ExpertDuplication.Of(Options.In(plan.Layer)).Name,
        ["router"] = new JsonObject { ["method"] = RouterExtension.Of(Options.In(plan.Layer)).Name, ["noise"] = RouterExtension.Noise(Options.In(plan.Layer)) },
        ["source-of"] = new JsonArray([.. plan.Origins.Select(s => (JsonNode)s)]),
        ["experts-per-source"] = new JsonArray([.. plan.Counts().Select(c => (JsonNode)c)]),
        ["calibration-tokens"] = Tokens is null ? null : new JsonArray([.. Tokens[plan.Layer].Select(t => (JsonNode)t)]),
        ["doublings"] = JsonSerializer.SerializeToNode(plan.Doublings, WireJson.Options),
    };
}
