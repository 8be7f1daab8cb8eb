using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Pruner.Methods;
using Espalier.Pruner.ExpertSelection;
using Espalier.Pruner.Slicing;
using Espalier.Surgery.Estimates;
using Espalier.Stages.Methods;

namespace Espalier.Pruner;

/// <summary>What pruning comes to: cut experts are new, whole ones are there already.</summary>
internal sealed class PruneEstimate : IStageEstimate
{
    public string Kind => StageKinds.Prune;

    public StepEstimate Estimate(EstimateRequest step)
    {
        var options = step.Read<PruneOptions>();
        var method = MethodCatalog<IPruningMethod>.Get(options.Method, "method");
        var source = step.Model();
        var granularity = PruneRules.Check(options, step.Options, method, source.Config);
        var isExpert = granularity == Granularity.Expert;
        var after = isExpert
            ? PrunedShape.Of(source.Config, UnitSelection.CountExperts(source.Config, options.Ratio), source.Config.ExpertSize)
            : PrunedShape.Of(source.Config, source.Config.Experts,
                options.Scope != PruneScope.Uniform || granularity == Granularity.Weight ? source.Config.ExpertSize
                : UnitSelection.CountNeurons(source.Config, options.Ratio, options.MultipleOf));
        var pruned = ModelHeader.Of(after, source.HasRouterBias, source.HasSelectionBias);
        var experts = (long)after.SparseLayers.Count * after.Experts * pruned.ExpertBytes;
        var shared = after.SharedSize == source.Config.SharedSize ? 0
            : 3L * after.SparseLayers.Count * after.HiddenSize * after.SharedSize * source.ElementBytes;
        var fresh = options.Ratio == 0 ? 0 : isExpert ? pruned.RouterBytes : experts + shared;
        return new StepEstimate
        {
            Model = pruned,
            NewBytes = fresh + pruned.ManifestBytes,
            SharedBytes = pruned.SizeBytes - fresh,
            MemoryBytes = MemoryEstimate.Process + CalibrationBytes(options, method, source),
            Operations = method.Need == CalibrationNeed.None || options.Calibration is not { } text ? 0
                : (method.Need == CalibrationNeed.Gradients ? 8.0 : 2.0) * source.Config.ActiveParameters * text.MostSamples * text.Length,
        };
    }

    public IEnumerable<JsonObject> Smaller(EstimateRequest step)
    {
        if (step.Read<PruneOptions>().Calibration is not null)
            yield return new JsonObject { ["calibration"] = new JsonObject { ["batch"] = 1 } };
    }

    // One layer of weights, the activations of one batch with their gradients, or the head.
    private static long CalibrationBytes(PruneOptions options, IPruningMethod method, ModelHeader source)
    {
        if (method.Need == CalibrationNeed.None || options.Calibration is not { } calibration)
            return 3 * source.ExpertBytes;
        var tokens = (long)calibration.Batch * calibration.Length;
        var head = 8L * source.Config.VocabularySize * source.Config.HiddenSize;
        return Math.Max(MemoryEstimate.Layer(source.Config), head) + 2 * MemoryEstimate.Forward(source.Config, tokens, calibration.Length);
    }
}
