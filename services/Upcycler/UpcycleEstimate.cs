using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Surgery.Estimates;
using Espalier.Stages.Methods;
using Espalier.Upcycler.Duplication;
using Espalier.Upcycler.Growth;
using Espalier.Upcycler.Methods;
using Espalier.Upcycler.Metrics;
using Espalier.Upcycler.Planning;
using Espalier.Upcycler.Routers;

namespace Espalier.Upcycler;

/// <summary>What growth comes to: routers and names are new, every expert is there already; memory is a model's only where gradients are asked for.</summary>
internal sealed class UpcycleEstimate : IStageEstimate
{
    private const int WorkingCopies = 8; // of one matrix, in float32: source, result, noise, factors

    public string Kind => StageKinds.Upcycle;

    public StepEstimate Estimate(EstimateRequest step)
    {
        var options = step.Read<UpcycleOptions>();
        if (MethodCatalog<IUpcycleMethod>.Get(options.Method, "method") is IModelGrowth method)
            return EstimateModel(step, method);
        var source = step.Model();
        UpcycleRules.Check(options, source.Config, step.HasTrainerState);
        var isWide = options.Preserve == Preservation.Wide;
        var layers = source.Config.SparseLayers.Select(options.In).ToList();
        var config = source.Config with
        {
            ExtraLayers = 0,
            Experts = LayerPlanner.Experts(source.Config.Experts, options),
            ExpertsPerToken = UpcycleRules.ExpertsPerToken(source.Config, options),
            TargetExpertsPerToken = isWide ? source.Config.ExpertsPerToken : null,
            SiblingExclusive = options.Preserve == Preservation.SiblingExclusive,
        };
        var hasBias = source.HasRouterBias || options.Preserve == Preservation.Frozen || layers.Any(layer => RouterExtension.Of(layer).AddsBias);
        var grown = ModelHeader.Of(config, hasBias, source.HasSelectionBias);
        var needsText = options.Calibration is not null;
        var made = layers.Count(layer => ExpertDuplication.Of(layer) is not ExactCopy) * (config.Experts - source.Config.Experts) * source.ExpertBytes;
        var state = options.OptimizerState is OptimizerStatePolicy.Scale or OptimizerStatePolicy.Interpolate
            ? 8 * (config.TotalParameters - source.Config.TotalParameters) : 0;
        return new StepEstimate
        {
            Model = grown,
            NewBytes = grown.RouterBytes + grown.ManifestBytes + made + state,
            SharedBytes = grown.SizeBytes - grown.RouterBytes - made,
            MemoryBytes = MemoryEstimate.Process + (needsText ? CalibratedBytes(options, source.Config, config) : ScoredBytes(options, source))
                + (made > 0 ? WorkingCopies * source.Config.ExpertParameters / 3 * sizeof(float) : 0),
            Operations = needsText ? 6.0 * source.Config.ActiveParameters * options.Calibration!.Samples * options.Calibration.Length : 0,
        };
    }

    private static StepEstimate EstimateModel(EstimateRequest step, IModelGrowth method)
    {
        var options = GrowthOptions.Of(step.Options);
        ModelGrowthRules.Check(options.Stage, method);
        var source = step.Model();
        var grown = ModelHeader.Of(ModelGrowth.Configure(method, source.Config, options), source.HasRouterBias, source.HasSelectionBias);
        var made = method.NewBytes(source.Config, grown.Config, options, source.ElementBytes);
        var matrix = (long)source.Config.HiddenSize * Math.Max(source.Config.ExpertSize, source.Config.DenseSize) * sizeof(float);
        return new StepEstimate
        {
            Model = grown,
            NewBytes = grown.RouterBytes + grown.ManifestBytes + made,
            SharedBytes = Math.Max(0, grown.SizeBytes - grown.RouterBytes - made),
            MemoryBytes = MemoryEstimate.Process
                + Math.Max(WorkingCopies * matrix, options.Stage.Calibration is { } calibration ? MeasuredBytes(calibration, grown.Config) : 0),
        };
    }

    // Gradients of the source where they are asked for; then the change of the function, a layer at a time, with both heads at the end.
    private static long CalibratedBytes(UpcycleOptions options, ModelConfig source, ModelConfig grown)
    {
        var calibration = options.Calibration!;
        var tokens = (long)calibration.Samples / calibration.Batches * calibration.Length;
        var gradients = UpcycleRules.NeedsScores(options, source) && MethodCatalog<IUsefulnessMetric>.Get(options.Metric, "metric").NeedsGradients
            ? 8 * source.TotalParameters + MemoryEstimate.Training(source, tokens, calibration.Length) : 0;
        return Math.Max(gradients, MeasuredBytes(calibration, grown));
    }

    private static long MeasuredBytes(GradientCalibrationOptions calibration, ModelConfig grown)
    {
        var tokens = Math.Min(calibration.Samples, UpcycleStage.MeasuredSequences) * (long)calibration.Length;
        return Math.Max(MemoryEstimate.Layer(grown), 8L * grown.VocabularySize * grown.HiddenSize)
            + MemoryEstimate.Forward(grown with { VocabularySize = 1 }, tokens, calibration.Length) + 12L * calibration.Length * grown.VocabularySize;
    }

    private static long ScoredBytes(UpcycleOptions options, ModelHeader source) =>
        UpcycleRules.NeedsScores(options, source.Config) ? 3 * source.ExpertBytes : 0;
}
