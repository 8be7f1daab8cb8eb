using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>
/// How router rows lie to each other and to the tokens of their experts (arXiv 2605.12476). A routed token pulls its expert's row of the router
/// and its expert's weights in one direction, so the rows of experts that specialise differ, and each lies along its expert's tokens.
/// </summary>
public static class RouterGeometry
{
    private const double LeastLength = 1e-12;

    /// <summary>Mean cosine of two rows of a router (E, H); 1 for a single one.</summary>
    public static double Similarity(Tensor router)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var directions = Directions(router);                                                              // (E, H)
        var present = directions.square().sum().item<double>();                                           // E, without rows of zeros
        var (sum, count) = (directions.sum(dim: 0).square().sum().item<double>(), router.shape[0]);
        return count < 2 ? 1 : (sum - present) / (count * (count - 1.0));
    }

    /// <summary>Mean over experts with tokens of the cosine of an expert's row and the sum of its tokens; 0 where none has any.</summary>
    /// <param name="router">(E, H).</param>
    /// <param name="sums">(E, H) sums of the tokens of each expert.</param>
    /// <param name="counts">(E) how many there are.</param>
    public static double Alignment(Tensor router, Tensor sums, Tensor counts)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using Scalar zero = 0;
        var routed = counts.gt(zero).to(float64);                                                         // (E)
        var cosines = (Directions(router) * Directions(sums)).sum(-1) * routed;                           // (E)
        return cosines.sum().item<double>() / Math.Max(1, routed.sum().item<double>());
    }

    /// <summary>Sums (E, H) of the tokens that were routed to each expert, and how many there are (E); float32, the caller's.</summary>
    /// <param name="trace">The routing.</param>
    /// <param name="rows">How many of its tokens, the first ones; null for all.</param>
    public static (Tensor Sums, Tensor Counts) SumsOf(RoutingTrace trace, long? rows = null)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var count = Math.Min(rows ?? trace.Input.shape[0], trace.Input.shape[0]);
        var selected = trace.Selected.narrow(0, 0, count);                                                 // (T, K)
        var used = trace.Used?.narrow(0, 0, count).to(float32) ?? ones(selected.shape, dtype: float32, device: selected.device);
        var chosen = zeros([count, trace.Logits.shape[1]], dtype: float32, device: selected.device).scatter_(1, selected, used); // (T, E)
        var sums = chosen.transpose(0, 1).matmul(trace.Input.detach().narrow(0, 0, count).to(float32));
        return (sums.MoveToOuterDisposeScope(), chosen.sum(dim: 0).MoveToOuterDisposeScope());
    }

    // Rows of length 1, or of zeros; float64.
    private static Tensor Directions(Tensor rows)
    {
        using Scalar least = LeastLength;
        var wide = rows.detach().to(float64);
        return wide / wide.square().sum(-1, keepdim: true).sqrt().clamp(min: least);
    }
}
