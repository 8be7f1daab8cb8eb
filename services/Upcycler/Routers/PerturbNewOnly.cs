using Espalier.Surgery;
using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Routers;

/// <summary>
/// R'_j = R[s_j] + lambda std(D) N with standard normal N; std over the copied rows D alone (Expert Upcycling,
/// arXiv 2604.19835; lambda 0.02).
/// </summary>
public sealed class PerturbNewOnly : IRouterExtension
{
    /// <inheritdoc/>
    public string Name => "perturb-new-only";

    /// <inheritdoc/>
    public string Summary => "Rows of the sources plus normal noise, relative to their own spread (arXiv 2604.19835).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Distinct;

    /// <inheritdoc/>
    public double DefaultNoise => 0.02;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["noise"];

    /// <inheritdoc/>
    public RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, RouterOptions options, KeyedRandom random)
    {
        var extended = router.Append(order);
        return extended.WithNoise(router.Experts, (options.Noise ?? DefaultNoise) * router.RequireSpread(extended.Rows[router.Rows.Length..]), random);
    }
}
