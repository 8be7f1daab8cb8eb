using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Surgery.Estimates;

namespace Espalier.Upcycler.Merging;

/// <summary>What merging comes to: a model as large as one of them, and in memory one tensor of each.</summary>
internal sealed class MergeEstimate : IStageEstimate
{
    private const int Copies = 4; // of the largest tensor in float32, beside those of the models: differences, signs, sums, the result

    public string Kind => StageKinds.Merge;

    public StepEstimate Estimate(EstimateRequest step)
    {
        var models = step.Inputs.Where(i => i.As == OutputNames.Model).ToList();
        var hasBase = step.Inputs.Any(i => i.As == "base");
        MergeRules.Check(step.Read<MergeOptions>(), models.Count, hasBase);
        var known = step.Inputs.Where(i => i.Model is not null).Select(i => (i.Step, i.Model!.Config)).ToList();
        if (known.Count == 0)
            return new StepEstimate { MemoryBytes = MemoryEstimate.Process };
        MergeRules.CheckShapes(known);
        var first = step.Inputs.First(i => i.Model is not null).Model!;
        return new StepEstimate
        {
            Model = first,
            NewBytes = first.SizeBytes + first.ManifestBytes,
            MemoryBytes = MemoryEstimate.Process + (step.Inputs.Count + Copies) * sizeof(float) * LargestTensor(first.Config),
        };
    }

    private static long LargestTensor(ModelConfig config) => Math.Max((long)config.VocabularySize * config.HiddenSize,
        (long)config.HiddenSize * Math.Max(config.ExpertSize, Math.Max(config.DenseSize, config.SharedSize)));
}
