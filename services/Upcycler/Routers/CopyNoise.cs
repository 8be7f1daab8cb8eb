using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Stages.Surgery;

namespace Espalier.Upcycler.Routers;

/// <summary>
/// R'_j = R[s_j] + lambda std(R) N with standard normal N; std over all entries of the router. Source rows are not
/// touched. (Expert Upcycling, arXiv 2604.19835; lambda 0.01.)
/// </summary>
[MethodOptions(typeof(RouterOptions), "copy-noise")]
public sealed class CopyNoise : IRouterExtension
{
    /// <inheritdoc/>
    public string Name => "copy-noise";

    /// <inheritdoc/>
    public string Summary => "Rows of the sources plus normal noise, relative to the router's spread (arXiv 2604.19835).";

    /// <inheritdoc/>
    public bool BreaksTies => true;

    /// <inheritdoc/>
    public double DefaultNoise => 0.01;

    /// <inheritdoc/>
    public RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, double noise, KeyedRandom random)
    {
        var mean = router.Rows.Average(v => (double)v);
        var spread = Math.Sqrt(router.Rows.Average(v => (v - mean) * (v - mean)));
        if (spread == 0)
            throw new UserInputException(
                $"router.method: all router weights of layer {router.Layer} are equal, so noise relative to their spread is 0. Use bias-only.");
        var extended = router.Append(order);
        for (var i = router.Rows.Length; i < extended.Rows.Length; i++)
            extended.Rows[i] = (float)(extended.Rows[i] + noise * spread * random.NextNormal());
        return extended;
    }
}
