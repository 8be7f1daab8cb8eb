using Espalier.Surgery;
using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Routers;

/// <summary>
/// R'_j = R[s_j] + lambda std(R) N with standard normal N; std over all entries of the router. Source rows are not
/// touched. (Expert Upcycling, arXiv 2604.19835; lambda 0.01.)
/// </summary>
public sealed class CopyNoise : IRouterExtension
{
    /// <inheritdoc/>
    public string Name => "copy-noise";

    /// <inheritdoc/>
    public string Summary => "Rows of the sources plus normal noise, relative to the router's spread (arXiv 2604.19835).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Distinct;

    /// <inheritdoc/>
    public double DefaultNoise => 0.01;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["noise"];

    /// <inheritdoc/>
    public RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, RouterOptions options, KeyedRandom random) =>
        router.Append(order).WithNoise(router.Experts, (options.Noise ?? DefaultNoise) * router.RequireSpread(router.Rows), random);
}
