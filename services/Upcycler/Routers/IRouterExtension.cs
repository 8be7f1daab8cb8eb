using Espalier.Stages.Methods;
using Espalier.Surgery;
using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Routers;

/// <summary>Gives a router its rows for the new experts of one doubling. The source row of slot j is order[j], always.</summary>
public interface IRouterExtension : IStageMethod
{
    /// <summary>How the logits of copies differ.</summary>
    CopyKind Copies { get; }

    /// <summary>Whether the router gets a logit bias when it has none.</summary>
    bool AddsBias => false;

    /// <summary>Size of the noise when the options do not say; 0 when there is none.</summary>
    double DefaultNoise => 0;

    /// <summary>Options that the method reads, as they are written.</summary>
    IReadOnlyList<string> Settings { get; }

    /// <summary>The router after the doubling; rows that exist stay as they are.</summary>
    /// <param name="router">The router before.</param>
    /// <param name="order">Source row of each new row.</param>
    /// <param name="options">Settings; those left out have the method's defaults.</param>
    /// <param name="random">Stream of this layer and doubling.</param>
    /// <exception cref="Espalier.Contracts.UserInputException">The noise would have no effect.</exception>
    RouterWeights Extend(RouterWeights router, IReadOnlyList<int> order, RouterOptions options, KeyedRandom random);
}
