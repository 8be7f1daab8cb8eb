using static TorchSharp.torch;

namespace Espalier.Upcycler.Merging;

/// <summary>base + scale * sum_i weight_i (model_i - base) (arXiv 2212.04089).</summary>
internal sealed class TaskArithmetic : IMergeMethod
{
    public string Name => "task-arithmetic";

    public string Summary => "The base plus the weighted sum of what each model has changed in it (arXiv 2212.04089).";

    public bool NeedsBase => true;

    public int? Identity(MergeOptions options, IReadOnlyList<double> weights) =>
        Average.Only(weights) is { } only && weights[only] * options.Scale == 1 ? only : null;

    public Tensor Merge(TensorsToMerge tensors, MergeOptions options) => tensors.ByElement((source, models, _) =>
        source! + models.Zip(tensors.Weights, (model, weight) => (model - source!) * (weight * options.Scale)).Aggregate((a, b) => a + b));
}
