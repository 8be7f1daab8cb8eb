using Espalier.Surgery;
using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Routers;

/// <summary>New rows equal their source's, so copies tie with it and the lower index wins.</summary>
public sealed class CopyRows : IRouterExtension
{
    /// <inheritdoc/>
    public string Name => "copy";

    /// <inheritdoc/>
    public string Summary => "Rows of the sources, unchanged.";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Equal;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => [];

    /// <inheritdoc/>
    public RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, RouterOptions options, KeyedRandom random) => router.Append(order);
}
