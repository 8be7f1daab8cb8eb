using Espalier.Surgery;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Duplication;

/// <summary>
/// W = U diag(S) V^T perturbed: S' = max(S (1 + pv n), 1e-8), U' = Q(U + pvec/sqrt(d) N), likewise V'. The published code
/// has two defects, corrected here: its vector noise is not divided by sqrt(d), so on a unit vector of length d it has the
/// norm pvec sqrt(d) and swamps it; and Q's columns have arbitrary signs, so components flip.
/// </summary>
public static class Svd
{
    private const double LeastValue = 1e-8;
    private const double ReplacedShare = 0.01; // of the largest value, in place of those that are dropped

    /// <summary>The perturbed matrix, float32.</summary>
    /// <param name="weight">Matrix.</param>
    /// <param name="valueNoise">pv.</param>
    /// <param name="vectorNoise">pvec: expected norm of the noise on each unit singular vector.</param>
    /// <param name="drop">Share of the smallest singular values that is drawn anew.</param>
    /// <param name="random">Stream.</param>
    public static Tensor Perturb(Tensor weight, double valueNoise, double vectorNoise, double drop, KeyedRandom random)
    {
        using var scope = NewDisposeScope();
        var (u, s, vh) = linalg.svd(weight, fullMatrices: false);
        var rank = (int)s.shape[0];
        var values = (s * (ExpertMatrix.Normal(random, rank) * valueNoise + 1)).clamp_min(LeastValue);
        var dropped = (int)Math.Floor(drop * rank);
        if (dropped > 0)
            values.narrow(0, rank - dropped, dropped).copy_((ExpertMatrix.Normal(random, dropped) * s[0] * ReplacedShare).abs());
        var left = Turn(u, vectorNoise, random);
        var right = Turn(vh.t(), vectorNoise, random);
        return ((left * values).matmul(right.t())).MoveToOuterDisposeScope();
    }

    // Orthonormal columns near those given.
    private static Tensor Turn(Tensor columns, double noise, KeyedRandom random)
    {
        if (noise == 0)
            return columns;
        var (q, r) = linalg.qr(columns + ExpertMatrix.Normal(random, columns.shape) * (noise / Math.Sqrt(columns.shape[0])));
        return q * r.diagonal().sign();
    }
}
