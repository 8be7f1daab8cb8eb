using Espalier.Pipelines.Options;
using Espalier.Stages.Surgery;

namespace Espalier.Upcycler.Routers;

/// <summary>New rows equal their source's, so copies tie with it and the lower index wins.</summary>
[MethodOptions(typeof(RouterOptions), "copy")]
public sealed class CopyRows : IRouterExtension
{
    /// <inheritdoc/>
    public string Name => "copy";

    /// <inheritdoc/>
    public string Summary => "Rows of the sources, unchanged.";

    /// <inheritdoc/>
    public bool BreaksTies => false;

    /// <inheritdoc/>
    public double DefaultNoise => 0;

    /// <inheritdoc/>
    public RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, double noise, KeyedRandom random) => router.Append(order);
}
