using static TorchSharp.torch;

namespace Espalier.Upcycler.Merging;

/// <summary>The weighted mean of the models: model soups (arXiv 2203.05482).</summary>
internal sealed class Average : IMergeMethod
{
    public string Name => "average";

    public string Summary => "The weighted mean of all models, such as checkpoints of one run (model soups, arXiv 2203.05482).";

    public bool NeedsBase => false;

    public int? Identity(MergeOptions options, IReadOnlyList<double> weights) => Only(weights);

    public Tensor Merge(TensorsToMerge tensors, MergeOptions options)
    {
        var total = tensors.Weights.Sum();
        return tensors.ByElement((_, models, _) => models.Zip(tensors.Weights, (model, weight) => model * (weight / total)).Aggregate((a, b) => a + b));
    }

    /// <summary>The one model whose weight is not 0.</summary>
    internal static int? Only(IReadOnlyList<double> weights) => weights.Count(w => w != 0) == 1 ? weights.ToList().FindIndex(w => w != 0) : null;
}
