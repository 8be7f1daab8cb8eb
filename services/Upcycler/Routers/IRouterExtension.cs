using Espalier.Stages.Methods;
using Espalier.Stages.Surgery;

namespace Espalier.Upcycler.Routers;

/// <summary>Gives a router its rows for the new experts of one doubling. The source row of slot j is order[j], always.</summary>
public interface IRouterExtension : IStageMethod
{
    /// <summary>Whether copies get logits that differ from their source's.</summary>
    bool BreaksTies { get; }

    /// <summary>Size of the noise when the options do not say; 0 when there is none.</summary>
    double DefaultNoise { get; }

    /// <summary>The router after the doubling; rows that exist stay as they are.</summary>
    /// <exception cref="Espalier.Contracts.UserInputException">The noise would have no effect.</exception>
    RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, double noise, KeyedRandom random);
}
