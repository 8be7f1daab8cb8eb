using System.Globalization;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Manifests;
using Espalier.Modeling;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.ExpertSelection;
using Espalier.Pruner.Slicing;
using Espalier.Surgery;

namespace Espalier.Pruner;

/// <summary>What the stage reports: what stayed, on what evidence, and what it saved.</summary>
internal sealed record PruneReport(PruneOptions Options, Granularity Granularity, ModelConfig Before, ModelConfig After, IReadOnlyList<KeptUnits> Kept)
{
    /// <summary>Sums over the calibration text; null when the method saw none.</summary>
    public CalibrationSums? Seen { get; init; }

    /// <summary>Experts that were kept whole for their massive activations.</summary>
    public IReadOnlyList<(int Layer, int Expert)> SuperExperts { get; init; } = [];

    /// <summary>Experts of which the text told too little.</summary>
    public IReadOnlyList<(int Layer, int Expert)> Fallbacks { get; init; } = [];

    /// <summary>Single weights that are zero; null when none were taken.</summary>
    public WeightZeroing? Zeroed { get; init; }

    /// <summary>What people have to know.</summary>
    public IReadOnlyList<string> Notes =>
    [
        .. Seen?.Tokens?.Shortfall is { } shortfall ? [shortfall] : Array.Empty<string>(),
        .. PrunedShape.Notes(Before, After),
        .. Fallbacks.Count > 0
            ? [$"The calibration text told too little of {Fallbacks.Count} experts, which report.json lists under coverage: more text gives better scores."]
            : Array.Empty<string>(),
        .. Unrouted > 0
            ? [$"{Unrouted} experts got no calibration token; they are listed in report.json. More calibration samples give better scores."]
            : Array.Empty<string>(),
        .. Zeroed is { } zeroed ? zeroed.Notes(Percent(Ratio)) : [],
        .. Zeroed is null && RoutedStored > RoutedKept
            ? [$"{Percent(Ratio)} of the routed experts' weights are gone, and {Percent(StoredRatio)} of their bytes: experts have one width, "
                + $"{After.ExpertSize}, and narrower ones are padded with zeros. With scope uniform, the bytes saved are those removed."]
            : Array.Empty<string>(),
    ];

    /// <summary>Experts that no calibration token reached.</summary>
    private int Unrouted => Seen is null ? 0 : Before.SparseLayers.Sum(layer => Seen.Layers[layer].Unrouted.Count);

    private long RoutedBefore => (long)Before.SparseLayers.Count * Before.Experts * Before.ExpertParameters;

    private long RoutedStored => (long)After.SparseLayers.Count * After.Experts * After.ExpertParameters;

    // Narrower experts, and shared ones of an odd width, are padded with zeros, which are stored and do nothing.
    private long RoutedKept => 3L * Before.HiddenSize * Kept.Sum(layer => layer.Neurons.Sum(neurons => (long)neurons.Count)) - (Zeroed?.Zeros ?? 0);

    private long ZeroParameters => RoutedStored - RoutedKept + 3L * After.SparseLayers.Count * After.HiddenSize * (After.SharedSize - Before.SharedSize);

    private double Ratio => 1 - (double)RoutedKept / RoutedBefore;

    private double StoredRatio => 1 - (double)RoutedStored / RoutedBefore;

    public static readonly string[] MetricNames =
    [
        "ratio", "stored-ratio", "experts", "expert-size", "total-parameters", "active-parameters", "bytes-new", "unrouted-experts", "super-experts",
    ];

    public IReadOnlyDictionary<string, double> Metrics(Manifest source, Manifest result) => new Dictionary<string, double>
    {
        ["ratio"] = Ratio,
        ["stored-ratio"] = StoredRatio,
        ["experts"] = After.Experts,
        ["expert-size"] = After.ExpertSize,
        ["total-parameters"] = After.TotalParameters,
        ["active-parameters"] = After.ActiveParameters,
        ["bytes-new"] = SurgeryReport.NewBytes(source, result),
        ["unrouted-experts"] = Unrouted,
        ["super-experts"] = SuperExperts.Count,
    };

    public JsonObject ToJson(IReadOnlyDictionary<string, double> metrics)
    {
        var report = Json(metrics);
        if (Zeroed is not null)
            report["sparsity"] = Zeroed.ToJson();
        if (Seen is not null)
            report["coverage"] = Coverage(Seen);
        return report;
    }

    // Tokens that each expert's score rests on, and for how many experts they were too few.
    private JsonObject Coverage(CalibrationSums seen) => new()
    {
        ["fallbacks"] = Fallbacks.Count,
        ["max-fallback"] = Options.MaxFallback,
        ["tokens-per-expert-asked"] = Options.Calibration?.TokensPerExpert,
        ["layers"] = new JsonArray([.. Before.SparseLayers.Select(layer => new JsonObject
        {
            ["layer"] = layer,
            ["tokens"] = new JsonArray([.. seen.Layers[layer].Tokens.Select(t => (JsonNode)t)]),
            ["fallbacks"] = Numbers(Fallbacks.Where(f => f.Layer == layer).Select(f => f.Expert)),
        })]),
    };

    private JsonObject Json(IReadOnlyDictionary<string, double> metrics) => new()
    {
        ["method"] = Options.Method,
        ["granularity"] = PruneRules.Word(Granularity),
        ["scope"] = Options.Scope.ToString().ToLowerInvariant(),
        ["seed"] = Options.Seed,
        ["requested-ratio"] = Options.Ratio,
        ["ratio-of-routed-experts"] = Ratio,
        ["ratio-of-model"] = 1 - (double)(After.TotalParameters - ZeroParameters) / Before.TotalParameters,
        ["zero-parameters"] = ZeroParameters,
        ["before"] = Shape(Before),
        ["after"] = Shape(After),
        ["calibration"] = Seen?.Tokens?.ToJson(),
        ["metrics"] = new JsonObject(metrics.Select(m => KeyValuePair.Create(m.Key, (JsonNode?)m.Value))),
        ["notes"] = new JsonArray([.. Notes.Select(note => (JsonNode)note)]),
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
        ["shared-size"] = config.SharedSize,
        ["prediction-layers"] = config.ExtraLayers,
        ["total-parameters"] = config.TotalParameters,
        ["active-parameters"] = config.ActiveParameters,
    };

    private static string Percent(double share) => (100 * share).ToString("0.#", CultureInfo.InvariantCulture) + " %";

    private static JsonArray Numbers(IEnumerable<int> values) => new([.. values.Select(v => (JsonNode)v)]);
}
