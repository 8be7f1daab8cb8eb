using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.CptTrainer.Training;
using Espalier.CptTrainer.Training.Teams;
using Espalier.Modeling;
using Espalier.Tokenizers;
using Espalier.Modeling.Training;
using Espalier.Surgery.Estimates;

namespace Espalier.CptTrainer;

/// <summary>
/// What a training step comes to: all weights new, weights, gradients and the optimizer's moments in memory, 6 operations per weight and
/// token; a teacher's float32 weights and 2 operations per weight and token.
/// </summary>
internal sealed class TrainEstimate : IStageEstimate
{
    private const double TeacherOperations = 2; // per weight and token, forward only
    private static readonly ByteLevelBpe Bytes = ByteLevelBpe.OfBytes();

    public string Kind => StageKinds.Train;

    public StepEstimate Estimate(EstimateRequest step)
    {
        var asked = step.Read<TrainOptions>();
        var source = step.FindModel();
        var model = asked.Model ?? (source is not null ? null : throw new UserInputException(
            $"Step '{step.Name}' has nothing to train: give the shape of a new model in 'model', or a model to continue from."));
        var start = source?.Config ?? model!.ToConfig(model.TrainedVocabulary() ?? Bytes.VocabularySize, Bytes.EndTokenId);
        StartingPoint.CheckLength(asked, start);
        WeightGroups.Check(start, asked);
        MixtureMethods.Check(asked, start);
        MixtureMethods.CheckBias(asked, start, source?.HasRouterBias ?? false);
        Sparsification.Check(asked, start);
        TeamRules.Check(start, asked);
        var options = StepLaw.Resolve(asked, start);
        var plan = TrainPlan.Of(options);
        var config = MixtureMethods.Apply(options, start) with
        {
            Quantization = null,
            ExtraLayers = 0,
            SiblingExclusive = start.SiblingExclusive && options.ReleaseSiblings >= 1,
            ExpertsPerToken = start.TargetExpertsPerToken ?? start.ExpertsPerToken,
            TargetExpertsPerToken = null,
        };
        var trained = ModelHeader.Of(config, source?.HasRouterBias ?? false, HasSelectionBias(options, source, config));
        var teacher = step.Find(InputNames.Teacher)?.Config;
        if (teacher is not null)
            Teacher.Check(options, teacher, start);
        var isHelper = options.Member is not null; // its part is a part of the first's result
        return new StepEstimate
        {
            Model = isHelper ? null : trained,
            NewBytes = (isHelper ? 0 : 1 + (options.Ema is null ? 0 : 1) + (options.Stable == true ? 1 : 0)) * (trained.SizeBytes + trained.ManifestBytes)
                + OptimizerChoice.StateBytes(options, config, trained.HasRouterBias),
            MemoryBytes = MemoryEstimate.Process + OptimizerChoice.MemoryBytes(options, config, trained.HasRouterBias)
                + Activations(options, start) + Sparsification.MemoryBytes(options, config)
                + (teacher is null ? 0 : TeacherMemory(options, teacher)),
            Operations = plan.Tokens / (options.Workers ?? 1.0)
                * (plan.OperationsPerWeight * MixtureMethods.ActiveParameters(options, config) + TeacherOperations * (teacher?.ActiveParameters ?? 0)),
            Choices = TrainChoices.Describe(asked, options, config),
        };
    }

    // With elastic routing those of the widest step; dropout keeps what it dropped of each layer, or of the one that is computed again.
    private static long Activations(TrainOptions options, ModelConfig start)
    {
        var tokens = (long)options.Batch * options.Length;
        var widest = start with { ExpertsPerToken = Math.Max(start.ExpertsPerToken, options.Elastic?.Most ?? 0) };
        var masks = (options.Dropout > 0 ? 2 : 0) + (options.ExpertDropout > 0 ? widest.ExpertsPerToken : 0);
        return MemoryEstimate.Training(widest, tokens, options.Length, options.Recompute)
            + sizeof(float) * tokens * start.HiddenSize * masks * (options.Recompute ? 1 : start.Layers);
    }

    // Weights, a forward pass, and the streams between layers where they are compared.
    private static long TeacherMemory(TrainOptions options, ModelConfig teacher)
    {
        var tokens = (long)options.Batch * options.Length;
        return sizeof(float) * (teacher.TotalParameters + (options.Distill is { Features: > 0 } ? teacher.Layers * tokens * teacher.HiddenSize : 0))
            + MemoryEstimate.Forward(teacher, tokens, options.Length);
    }

    /// <summary>Layers computed again, then smaller micro-batches, more of them.</summary>
    public IEnumerable<JsonObject> Smaller(EstimateRequest step)
    {
        var options = step.Read<TrainOptions>();
        if (!options.Recompute)
            yield return new JsonObject { ["recompute"] = true };
        for (var (batch, times) = (options.Batch, options.Accumulate); batch > 0 && batch % 2 == 0;) // "auto" keeps to what fits already
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
