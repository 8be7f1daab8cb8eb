using Espalier.Surgery;
using Espalier.Upcycler.Duplication;
using Espalier.Upcycler.Planning;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Routers;

/// <summary>
/// Rows of the whole router with noise on its singular value decomposition (Expert Upcycling, arXiv 2604.19835; values 0.1,
/// vectors 0.05), as <see cref="Svd"/> has it. The n-th copies of all experts come from the n-th draw: in the published code
/// two copies of one expert get the same row.
/// </summary>
public sealed class SvdPerturbRows : IRouterExtension
{
    /// <inheritdoc/>
    public string Name => "svd-perturb";

    /// <inheritdoc/>
    public string Summary => "Rows of the router with noise on its singular values and vectors (arXiv 2604.19835, corrected).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Distinct;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["value-noise", "vector-noise"];

    /// <inheritdoc/>
    public RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, RouterOptions options, KeyedRandom random)
    {
        var draws = new List<float[]>();
        return router.Append(order).Change(router.Experts, order, (row, source, occurrence) =>
        {
            while (draws.Count <= occurrence)
                draws.Add(Draw(router, options, random));
            draws[occurrence].AsSpan(source * router.Width, router.Width).CopyTo(row);
        });
    }

    private static float[] Draw(RouterWeights router, RouterOptions options, KeyedRandom random)
    {
        using var scope = NewDisposeScope();
        var rows = tensor(router.Rows).view(router.Experts, router.Width);
        return [.. Svd.Perturb(rows, options.ValueNoise ?? 0.1, options.VectorNoise ?? 0.05, drop: 0, random).contiguous().data<float>().ToArray()];
    }
}
