using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// A limit on the tokens of an expert (GShard, arXiv 2006.16668; Switch, 2101.03961): with factor c, at most ceil(c T K / E) of the T K
/// assignments of tokens that run together. Of more, those with the largest gates are kept (arXiv 2106.05974), of equal gates those of earlier
/// tokens. A dropped assignment adds nothing to its token, which keeps the stream and its other experts; their gates stay as they are.
/// </summary>
public static class ExpertCapacity
{
    private const double Rounding = 1e-9; // of c T K / E, where that is a whole number

    /// <summary>Most assignments of one expert.</summary>
    /// <param name="counts">Assignments by expert.</param>
    /// <param name="factor">c.</param>
    public static long Limit(IReadOnlyList<long> counts, double factor) => (long)Math.Ceiling(factor * counts.Sum() / counts.Count - Rounding);

    /// <summary>Share of the assignments of several layers that a factor drops; 0 without one.</summary>
    public static double DroppedShare(IReadOnlyList<IReadOnlyList<long>> layers, double? factor) => factor is { } limited
        ? layers.Sum(counts => counts.Sum(count => Math.Max(0, count - Limit(counts, limited)))) / (double)layers.Sum(counts => counts.Sum()) : 0;

    /// <summary>The assignments that are kept, by expert, then token, and how many each expert has of them.</summary>
    /// <param name="selected">(T K) experts, int64.</param>
    /// <param name="gates">(T K) gates.</param>
    /// <param name="counts">Assignments by expert.</param>
    /// <param name="factor">c.</param>
    internal static (Tensor Order, long[] Counts) Keep(Tensor selected, Tensor gates, IReadOnlyList<long> counts, double factor)
    {
        using var scope = NewDisposeScope();
        var limit = Limit(counts, factor);
        using var bound = (Scalar)limit;
        var (_, byGate) = gates.detach().sort(dim: 0, descending: true, stable: true);
        var (experts, byExpert) = selected.index_select(0, byGate).sort(dim: 0, stable: true);
        var ranked = byGate.index_select(0, byExpert);                                       // (T K) by expert, largest gate first
        var before = tensor(counts.Select((_, expert) => counts.Take(expert).Sum()).ToArray(), device: selected.device);     // (E)
        var rank = arange(selected.numel(), device: selected.device) - before.index_select(0, experts);                     // (T K)
        var (kept, _) = ranked.masked_select(rank.lt(bound)).sort(dim: 0);                   // (N) in the order of tokens
        var (_, order) = selected.index_select(0, kept).sort(dim: 0, stable: true);
        return (kept.index_select(0, order).MoveToOuterDisposeScope(), [.. counts.Select(count => Math.Min(count, limit))]);
    }
}
