using Espalier.Modeling;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Merging;

/// <summary>Drop and rescale (arXiv 2311.03099): each change is dropped by chance and the others grow by as much, then task arithmetic.</summary>
internal sealed class Dare : IMergeMethod
{
    private const double UsualDensity = 0.1;

    public string Name => "dare";

    public string Summary => "As task-arithmetic, with most changes dropped at random and the others made larger by as much (arXiv 2311.03099).";

    public bool NeedsBase => true;

    public int? Identity(MergeOptions options, IReadOnlyList<double> weights) =>
        (options.Density ?? UsualDensity) == 1 ? new TaskArithmetic().Identity(options, weights) : null;

    public Tensor Merge(TensorsToMerge tensors, MergeOptions options)
    {
        var density = options.Density ?? UsualDensity;
        return tensors.ByElement((source, models, first) => source! + models.Select((model, i) =>
        {
            using var generator = RandomStream.For(options.Seed, $"dare/{i}/{tensors.Name}/{first}");
            var kept = rand(model.shape, dtype: float64, generator: generator).lt(density).to(float64);
            return (model - source!) * kept * (tensors.Weights[i] * options.Scale / density);
        }).Aggregate((a, b) => a + b));
    }
}
