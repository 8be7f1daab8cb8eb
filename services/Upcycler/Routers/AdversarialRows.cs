using Espalier.Surgery;
using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Routers;

/// <summary>
/// R'_j = R_s - strength (R_s - mean row), s the source of slot j (Expert Upcycling, arXiv 2604.19835; strength 0.1). The
/// published code takes a row that is not the source's, or fails, for every order but the identity.
/// </summary>
public sealed class AdversarialRows : IRouterExtension
{
    /// <inheritdoc/>
    public string Name => "adversarial";

    /// <inheritdoc/>
    public string Summary => "Rows of the sources pushed towards the mean row (arXiv 2604.19835, corrected).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Alike;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["strength"];

    /// <inheritdoc/>
    public RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, RouterOptions options, KeyedRandom random)
    {
        var mean = new double[router.Width];
        for (var i = 0; i < router.Rows.Length; i++)
            mean[i % router.Width] += router.Rows[i] / (double)router.Experts;
        return router.Append(order).Change(router.Experts, order, (row, source, _) =>
        {
            var origin = router.Row(source);
            for (var i = 0; i < row.Length; i++)
                row[i] = (float)(row[i] - (options.Strength ?? 0.1) * (origin[i] - mean[i]));
        });
    }
}
