using static TorchSharp.torch;

namespace Espalier.Upcycler.Merging;

/// <summary>
/// Trim, elect sign, merge (arXiv 2306.01708): of each model's changes the largest are kept, tensor by tensor; every number moves in the
/// direction of their sum, by the mean of those that agree. Of equal changes at the limit those that come first are kept; a sum of exactly 0
/// moves nothing.
/// </summary>
internal sealed class Ties : IMergeMethod
{
    private const double UsualDensity = 0.2;

    public string Name => "ties";

    public string Summary => "The base plus the mean of the largest changes that agree in their sign (arXiv 2306.01708).";

    public bool NeedsBase => true;

    public Tensor Merge(TensorsToMerge tensors, MergeOptions options)
    {
        using var scope = NewDisposeScope();
        var flat = tensors.Base!.reshape(-1);
        var changes = tensors.Models.Select(model => Trim(model.reshape(-1) - flat, options.Density ?? UsualDensity)).ToList();
        var sum = changes.Zip(tensors.Weights, (change, weight) => change * weight).Aggregate((a, b) => a + b);
        var direction = sum.sign();
        var (moved, shares) = (zeros_like(sum), zeros_like(sum));
        foreach (var (change, weight) in changes.Zip(tensors.Weights))
        {
            var agrees = (change * weight).sign().eq(direction).logical_and(change.ne(0)).to(float32);
            moved = moved + change * agrees * weight;
            shares = shares + agrees * Math.Abs(weight);
        }
        var mean = moved / shares.clamp_min(float.Epsilon);
        return (flat.to(float64) + mean.to(float64) * options.Scale).view(tensors.Base!.shape).MoveToOuterDisposeScope();
    }

    private static Tensor Trim(Tensor change, double density)
    {
        var kept = (long)Math.Round(density * change.shape[0], MidpointRounding.AwayFromZero);
        if (kept >= change.shape[0])
            return change;
        if (kept == 0)
            return zeros_like(change);
        var size = change.abs();
        var limit = size.kthvalue(change.shape[0] - kept + 1, 0).values;
        var above = size.gt(limit);
        var equal = size.eq(limit);
        var room = kept - above.sum().item<long>();
        var first = equal.logical_and(equal.to(int64).cumsum(0).le(room));
        return change * above.logical_or(first).to(change.dtype);
    }
}
