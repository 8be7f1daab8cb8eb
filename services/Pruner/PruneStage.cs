using System.Text.Json.Nodes;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.Methods;
using Espalier.Pruner.ExpertSelection;
using Espalier.Pruner.Slicing;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Stages.Methods;
using Espalier.Surgery;

namespace Espalier.Pruner;

/// <summary>Takes experts or neurons away: score on calibration text, select, slice.</summary>
public sealed class PruneStage : IStage
{
    /// <inheritdoc/>
    public string Kind => StageKinds.Prune;

    /// <inheritdoc/>
    public Type OptionsType => typeof(PruneOptions);

    /// <inheritdoc/>
    public StageTraits Traits { get; } = new()
    {
        Summary = "Removes experts, or neurons within experts: those that matter least by the measure of the chosen method.",
        Outputs = [OutputNames.Model, OutputNames.Report],
        Metrics = [.. StageMetric.Named(PruneReport.MetricNames)],
    };

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken)
    {
        var options = context.ReadOptions<PruneOptions>();
        var method = MethodCatalog<IPruningMethod>.Get(options.Method, "method");
        var source = await MoeCheckpoint.OpenAsync(context.Artifacts, context.Model(), cancellationToken).ConfigureAwait(false);
        var config = source.Config;
        var granularity = PruneRules.Check(options, context.Options, method, config);
        var count = granularity == Granularity.Expert
            ? UnitSelection.CountExperts(config, options.Ratio)
            : options.Scope != PruneScope.Uniform || granularity == Granularity.Weight ? config.ExpertSize
            : UnitSelection.CountNeurons(config, options.Ratio, options.MultipleOf);

        var need = PruneRules.NeedOf(options, method);
        var seen = await SumCollector.CollectAsync(context, source, method, need, cancellationToken).ConfigureAwait(false);
        var sums = config.SparseLayers.Select(layer => seen.Layers[layer]).ToList(); // from here on by place among the MoE layers
        var fallbacks = config.SparseLayers.Zip(sums).SelectMany(l => Fallbacks(method, l.Second, options, context).Select(e => (l.First, e))).ToList();
        if (need != CalibrationNeed.None)
            RefuseTooMany(fallbacks, options, method, config);
        var requests = config.SparseLayers.Select(layer => new ScoreRequest(layer, granularity, options.Seed, context.Options)
        {
            Weights = new LayerWeights(config, new StoredWeights(source.Reader), layer),
        }).ToList();
        var scores = granularity == Granularity.Weight ? [.. requests.Select(_ => Array.Empty<double>())]
            : requests.Zip(sums, (request, ofLayer) => Score(method, ofLayer, request)).ToList();
        var superExperts = options.ProtectSuperExperts && need != CalibrationNeed.None ? SuperExperts.Find(sums) : [];
        RefuseTooMany([.. superExperts.Select(e => (config.SparseLayers[e.Layer], e.Expert))], granularity, count);
        var kept = Keep(options, granularity, config, SuperExperts.Protect(scores, config.Experts, superExperts.ToHashSet()), count);
        kept = [.. kept.Select(units => units with { Layer = config.SparseLayers[units.Layer] })];
        var zeroing = granularity == Granularity.Weight && options.Ratio > 0
            ? new WeightZeroing(method, options.Ratio, [.. requests.Zip(sums)], superExperts.ToHashSet()) : null;
        var width = granularity != Granularity.Neuron || options.Ratio == 0 ? config.ExpertSize : Width(kept, config, options);

        var model = await new CheckpointPruner(source) { Zeroing = zeroing }.WriteAsync(
            context.Artifacts, kept, width, context.Step.Key,
            done => context.Progress.Report("slicing", done, config.Layers, "layers"), cancellationToken).ConfigureAwait(false);
        var after = await MoeCheckpoint.OpenAsync(context.Artifacts, model, cancellationToken).ConfigureAwait(false);
        var report = new PruneReport(options, granularity, config, after.Config, kept)
        {
            Seen = need == CalibrationNeed.None ? null : seen,
            Zeroed = zeroing,
            Fallbacks = need == CalibrationNeed.None ? [] : fallbacks,
            SuperExperts = [.. superExperts.Select(e => (config.SparseLayers[e.Layer], e.Expert))],
        };
        var metrics = report.Metrics(source.Manifest, after.Manifest);
        var reportRef = await SurgeryReport.PublishAsync(
            context.Artifacts,
            new Dictionary<string, JsonNode> { ["report.json"] = report.ToJson(metrics), ["scores.json"] = ScoresJson(scores) },
            [new Parent(model.Root, "pruned", context.Step.Key)],
            cancellationToken).ConfigureAwait(false);
        return new StageResult
        {
            Outputs = new Dictionary<string, ManifestRef> { [OutputNames.Model] = model, [OutputNames.Report] = reportRef },
            Metrics = metrics,
            Notes = report.Notes,
        };
    }

    private static double[] Score(IPruningMethod method, LayerSums sums, ScoreRequest request)
    {
        try
        {
            return method.Score(sums, request);
        }
        catch (InvalidModelException e)
        {
            throw new UserInputException($"The source model cannot be read: {e.Message}", e);
        }
    }

    private static IReadOnlyList<KeptUnits> Keep(
        PruneOptions options, Granularity granularity, ModelConfig config, IReadOnlyList<double[]> scores, int count) =>
        granularity == Granularity.Weight ? UnitSelection.KeepAll(scores.Count, config.Experts, config.ExpertSize)
        : granularity == Granularity.Expert ? UnitSelection.KeepExperts(scores, count, config.ExpertSize)
        : options.Scope == PruneScope.Layer ? UnitSelection.KeepNeuronsByLayer(scores, config.Experts, options.Ratio)
        : options.Scope == PruneScope.Global ? UnitSelection.KeepNeuronsGlobally(scores, config.Experts, options.Ratio)
        : UnitSelection.KeepNeurons(scores, config.Experts, count);

    private static IEnumerable<int> Fallbacks(IPruningMethod method, LayerSums sums, PruneOptions options, StageContext context)
    {
        var least = options.Calibration?.TokensPerExpert ?? 0;
        return method.Fallbacks(sums, context.Options).Union(Enumerable.Range(0, sums.Experts).Where(e => sums.Tokens[e] < least)).Order();
    }

    private static void RefuseTooMany(IReadOnlyList<(int Layer, int Expert)> fallbacks, PruneOptions options, IPruningMethod method, ModelConfig config)
    {
        var all = config.SparseLayers.Count * config.Experts;
        if (fallbacks.Count > options.MaxFallback * all)
            throw new UserInputException(
                $"max-fallback: the calibration text tells {method.Name} too little of {fallbacks.Count} of {all} experts, more than the share of "
                    + $"{options.MaxFallback} that may be (the first: layer {fallbacks[0].Layer}, expert {fallbacks[0].Expert}). "
                    + "Give more or longer samples in 'calibration', or raise 'max-fallback'.");
    }

    private static void RefuseTooMany(IReadOnlyList<(int Layer, int Expert)> superExperts, Granularity granularity, int count)
    {
        if (granularity == Granularity.Expert && superExperts.CountBy(e => e.Layer).FirstOrDefault(l => l.Value > count) is { Value: > 0 } layer)
            throw new UserInputException(
                $"protect-super-experts: layer {layer.Key} has {layer.Value} super experts, and only {count} experts would stay. Lower 'ratio'.");
    }

    // The widest expert, up to the next multiple: the others are filled up with zero neurons.
    private static int Width(IReadOnlyList<KeptUnits> kept, ModelConfig config, PruneOptions options)
    {
        var widest = Math.Max(1, kept.Max(layer => layer.Neurons.Max(n => n.Count)));
        return Math.Min(config.ExpertSize, (widest + options.MultipleOf - 1) / options.MultipleOf * options.MultipleOf);
    }

    private static JsonArray ScoresJson(List<double[]> scores) =>
        new([.. scores.Select(layer => new JsonArray([.. layer.Select(score => (JsonNode)score)]))]);
}
