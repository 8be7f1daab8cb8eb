using Espalier.Surgery;
using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Routers;

/// <summary>
/// R'_j = (1 - a) R_s + a R_n with n the row after s, the first after the last (Expert Upcycling, arXiv 2604.19835; a 0.5);
/// with <c>circular: false</c> the last row is its own neighbour.
/// </summary>
public sealed class InterpolateRows : IRouterExtension
{
    /// <inheritdoc/>
    public string Name => "interpolate";

    /// <inheritdoc/>
    public string Summary => "Rows of the sources mixed with the next row (arXiv 2604.19835).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Alike;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["mix", "circular"];

    /// <inheritdoc/>
    public RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, RouterOptions options, KeyedRandom random)
    {
        var mix = options.Mix ?? 0.5;
        return router.Append(order).Change(router.Experts, order, (row, source, _) =>
        {
            var next = router.Row(source + 1 < router.Experts ? source + 1 : options.Circular ?? true ? 0 : source);
            for (var i = 0; i < row.Length; i++)
                row[i] = (float)((1 - mix) * row[i] + mix * next[i]);
        });
    }
}
