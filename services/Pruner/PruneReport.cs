using System.Text.Json.Nodes;
using Espalier.Artifacts.Manifests;
using Espalier.Modeling;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.ExpertSelection;
using Espalier.Surgery;

namespace Espalier.Pruner;

/// <summary>What the stage reports: what stayed, on what evidence, and what it saved.</summary>
internal sealed record PruneReport(PruneOptions Options, Granularity Granularity, ModelConfig Before, ModelConfig After, IReadOnlyList<KeptUnits> Kept)
{
    /// <summary>Sums over the calibration text; null when the method saw none.</summary>
    public CalibrationSums? Seen { get; init; }

    /// <summary>Experts that were kept whole for their massive activations.</summary>
    public IReadOnlyList<(int Layer, int Expert)> SuperExperts { get; init; } = [];

    /// <summary>Experts that no calibration token reached.</summary>
    private int Unrouted => Seen is null ? 0 : Before.SparseLayers.Sum(layer => Seen.Layers[layer].Unrouted.Count);

    private long RoutedBefore => (long)Before.SparseLayers.Count * Before.Experts * Before.ExpertParameters;

    private long RoutedAfter => (long)After.SparseLayers.Count * After.Experts * After.ExpertParameters;

    public IReadOnlyDictionary<string, double> Metrics(Manifest source, Manifest result) => new Dictionary<string, double>
    {
        ["ratio"] = 1 - (double)RoutedAfter / RoutedBefore,
        ["experts"] = After.Experts,
        ["expert-size"] = After.ExpertSize,
        ["total-parameters"] = After.TotalParameters,
        ["active-parameters"] = After.ActiveParameters,
        ["bytes-new"] = SurgeryReport.NewBytes(source, result),
        ["unrouted-experts"] = Unrouted,
        ["super-experts"] = SuperExperts.Count,
    };

    public JsonObject ToJson(IReadOnlyDictionary<string, double> metrics) => new()
    {
        ["method"] = Options.Method,
        ["granularity"] = Granularity == Granularity.Expert ? "expert" : "neuron",
        ["scope"] = Options.Scope == PruneScope.Uniform ? "uniform" : "global",
        ["seed"] = Options.Seed,
        ["requested-ratio"] = Options.Ratio,
        ["ratio-of-routed-experts"] = 1 - (double)RoutedAfter / RoutedBefore,
        ["ratio-of-model"] = 1 - (double)After.TotalParameters / Before.TotalParameters,
        ["before"] = Shape(Before),
        ["after"] = Shape(After),
        ["calibration"] = Seen?.Tokens?.ToJson(),
        ["metrics"] = new JsonObject(metrics.Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value))),
        ["layers"] = new JsonArray([.. Kept.Select(Layer)]),
    };

    private JsonObject Layer(KeptUnits kept)
    {
        var sums = Seen?.Layers[kept.Layer];
        return new JsonObject
        {
            ["layer"] = kept.Layer,
            ["kept-experts"] = Numbers(kept.Experts),
            ["dropped-experts"] = Numbers(Enumerable.Range(0, Before.Experts).Except(kept.Experts)),
            ["kept-neurons"] = Granularity == Granularity.Neuron ? new JsonArray([.. kept.Neurons.Select(n => Numbers(n))]) : null,
            ["tokens-per-expert"] = sums is null ? null : new JsonArray([.. sums.Tokens.Select(t => (JsonNode)t)]),
            ["largest-output-per-expert"] = sums is null ? null : new JsonArray([.. sums.Largest.Select(a => (JsonNode)a)]),
            ["super-experts"] = Options.ProtectSuperExperts ? Numbers(SuperExperts.Where(e => e.Layer == kept.Layer).Select(e => e.Expert)) : null,
            ["gate-mass-per-expert"] = sums is null ? null : new JsonArray([.. sums.Gates.Select(g => (JsonNode)g)]),
            ["unrouted-experts"] = sums is null ? null : Numbers(sums.Unrouted),
        };
    }

    private static JsonObject Shape(ModelConfig config) => new()
    {
        ["experts"] = config.Experts,
        ["experts-per-token"] = config.ExpertsPerToken,
        ["expert-size"] = config.ExpertSize,
        ["total-parameters"] = config.TotalParameters,
        ["active-parameters"] = config.ActiveParameters,
    };

    private static JsonArray Numbers(IEnumerable<int> values) => new([.. values.Select(v => (JsonNode)v)]);
}
