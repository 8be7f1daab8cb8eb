using Espalier.Surgery;
using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Routers;

/// <summary>
/// R'_j = ||R_s|| P / ||P|| with P = N - (&lt;N, R_s&gt; / &lt;R_s, R_s&gt;) R_s: at right angles to its source row and as long
/// (Expert Upcycling, arXiv 2604.19835). Routing of such a copy starts from scratch. The published code projects on a row
/// that is not the source's, or fails, for every order but the identity.
/// </summary>
public sealed class OrthogonalRows : IRouterExtension
{
    /// <inheritdoc/>
    public string Name => "orthogonal";

    /// <inheritdoc/>
    public string Summary => "Random rows at right angles to the sources, of their length (arXiv 2604.19835, corrected).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Distinct;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => [];

    /// <inheritdoc/>
    public RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, RouterOptions options, KeyedRandom random) =>
        router.Append(order).Change(router.Experts, order, (row, source, _) =>
        {
            var origin = router.Row(source);
            var noise = new double[row.Length];
            for (var i = 0; i < noise.Length; i++)
                noise[i] = random.NextNormal();
            var (square, along) = (0.0, 0.0);
            for (var i = 0; i < noise.Length; i++)
                (square, along) = (square + (double)origin[i] * origin[i], along + noise[i] * origin[i]);
            if (square == 0)
                return; // a row of zeros has no direction
            for (var i = 0; i < noise.Length; i++)
                noise[i] -= along / square * origin[i];
            var length = Math.Sqrt(noise.Sum(v => v * v));
            for (var i = 0; i < noise.Length && length > 0; i++)
                row[i] = (float)(noise[i] / length * Math.Sqrt(square));
        });
}
