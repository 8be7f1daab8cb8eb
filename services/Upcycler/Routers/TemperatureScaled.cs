using Espalier.Surgery;
using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Routers;

/// <summary>
/// R'_j = s R[s_j], s 0.9 (Expert Upcycling, arXiv 2604.19835). Flattens the copies' logits towards 0: a negative one rises.
/// </summary>
public sealed class TemperatureScaled : IRouterExtension
{
    /// <inheritdoc/>
    public string Name => "temperature-scaled";

    /// <inheritdoc/>
    public string Summary => "Rows of the sources times 0.9 (arXiv 2604.19835).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Alike;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["scale"];

    /// <inheritdoc/>
    public RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, RouterOptions options, KeyedRandom random) =>
        router.Append(order).Change(router.Experts, order, (row, _, _) =>
        {
            for (var i = 0; i < row.Length; i++)
                row[i] = (float)(row[i] * (options.Scale ?? 0.9));
        });
}
