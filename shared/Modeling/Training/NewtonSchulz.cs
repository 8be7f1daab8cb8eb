using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Brings the singular values of matrices near 1 and leaves their singular vectors: five steps X = a X + (b A + c A A) X with
/// A = X X^T, from X = U / ||U||_F, on the transposed matrix where rows are more than columns. With these (a, b, c) values end
/// between about 0.7 and 1.2 (K. Jordan and others, Muon, 2024), which is enough for a direction.
/// </summary>
internal static class NewtonSchulz
{
    private const int Iterations = 5;
    private const double A = 3.4445, B = -4.7750, C = 2.0315;

    /// <summary>The matrices (n, r, c), float32, so changed.</summary>
    public static Tensor Orthogonalize(Tensor matrices)
    {
        using var scope = NewDisposeScope();
        using Scalar least = 1e-7, a = A, b = B, c = C;
        var isTall = matrices.shape[1] > matrices.shape[2];
        var x = isTall ? matrices.transpose(1, 2) : matrices;                                      // (n, r, c), r <= c
        x = x / x.square().sum([1, 2], keepdim: true).sqrt_().clamp_min(least);
        for (var i = 0; i < Iterations; i++)
        {
            using var iteration = NewDisposeScope();
            var product = x.bmm(x.transpose(1, 2));                                                // (n, r, r)
            var polynomial = product.bmm(product).mul_(c).add_(product, b);                        // b A + c A A
            x = polynomial.bmm(x).add_(x, a).MoveToOuterDisposeScope();
        }
        return (isTall ? x.transpose(1, 2) : x).MoveToOuterDisposeScope();
    }
}
