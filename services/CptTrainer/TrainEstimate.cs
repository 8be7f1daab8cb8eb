using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.CptTrainer.Training;
using Espalier.Modeling;
using Espalier.Tokenizers;
using Espalier.Modeling.Training;
using Espalier.Surgery.Estimates;

namespace Espalier.CptTrainer;

/// <summary>What a training step comes to: all weights new, float32 weights, gradients and two moments in memory, 6 operations per weight and token.</summary>
internal sealed class TrainEstimate : IStageEstimate
{
    private const int OptimizerBytes = 16;
    private const int StateBytes = 8;
    private const int OperationsPerWeight = 6;
    private static readonly ByteLevelBpe Bytes = ByteLevelBpe.OfBytes();

    public string Kind => StageKinds.Train;

    public StepEstimate Estimate(EstimateRequest step)
    {
        var options = step.Read<TrainOptions>();
        var plan = TrainPlan.Of(options);
        var source = step.FindModel();
        var model = options.Model ?? (source is not null ? null : throw new UserInputException(
            $"Step '{step.Name}' has nothing to train: give the shape of a new model in 'model', or a model to continue from."));
        var start = source?.Config ?? model!.ToConfig(model.TrainedVocabulary() ?? Bytes.VocabularySize, Bytes.EndTokenId);
        StartingPoint.CheckLength(options, start);
        var config = start with
        {
            Quantization = null,
            ExtraLayers = 0,
            SiblingExclusive = start.SiblingExclusive && options.ReleaseSiblings >= 1,
            ExpertsPerToken = start.TargetExpertsPerToken ?? start.ExpertsPerToken,
            TargetExpertsPerToken = null,
        };
        var trained = ModelHeader.Of(config, source?.HasRouterBias ?? false, HasSelectionBias(options, source, config));
        var casts = options.Precision == Precision.Bf16 ? 2 : 0;
        return new StepEstimate
        {
            Model = trained,
            NewBytes = trained.SizeBytes + trained.ManifestBytes + StateBytes * config.TotalParameters,
            MemoryBytes = MemoryEstimate.Process + (OptimizerBytes + casts) * config.TotalParameters
                + MemoryEstimate.Training(start, (long)options.Batch * options.Length, options.Length, options.Recompute),
            Operations = (double)OperationsPerWeight * config.ActiveParameters * plan.Tokens,
        };
    }

    /// <summary>Layers computed again, then smaller micro-batches, more of them.</summary>
    public IEnumerable<JsonObject> Smaller(EstimateRequest step)
    {
        var options = step.Read<TrainOptions>();
        if (!options.Recompute)
            yield return new JsonObject { ["recompute"] = true };
        for (var (batch, times) = (options.Batch, options.Accumulate); batch % 2 == 0;)
        {
            (batch, times) = (batch / 2, times * 2);
            var change = new JsonObject { ["batch"] = batch, ["accumulate"] = times };
            if (!options.Recompute)
                change.Insert(0, "recompute", true);
            yield return change;
        }
    }

    private static bool HasSelectionBias(TrainOptions options, ModelHeader? source, ModelConfig config) => ModelFamily.Of(config.Family).HasSelectionBias
        || options.SelectionBias == SelectionBiasEnd.Keep && (source?.HasSelectionBias == true || options.Balance == BalanceMethod.LossFree);
}
