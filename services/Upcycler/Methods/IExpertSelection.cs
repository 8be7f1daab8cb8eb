using Espalier.Surgery;
using Espalier.Upcycler.ExpertSelection;

namespace Espalier.Upcycler.Methods;

/// <summary>Expert upcycling: decides which experts the new slots of one doubling are copied from.</summary>
public interface IExpertSelection : IUpcycleMethod
{
    /// <summary>Whether it ranks experts, and so needs a metric.</summary>
    bool NeedsScores { get; }

    /// <summary>The source of each of the <paramref name="experts"/> new slots, as an index below <paramref name="experts"/>.</summary>
    /// <param name="experts">Experts before this doubling.</param>
    /// <param name="scores">Usefulness of each, or empty when <see cref="NeedsScores"/> is false.</param>
    /// <param name="selection">The selection that the options name.</param>
    /// <param name="options">The layer's options.</param>
    /// <param name="random">Stream of this layer and doubling.</param>
    int[] Choose(int experts, IReadOnlyList<double> scores, ISlotSelection selection, UpcycleOptions options, KeyedRandom random);
}
