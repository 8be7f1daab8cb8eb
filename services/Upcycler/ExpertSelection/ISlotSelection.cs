using Espalier.Stages.Methods;
using Espalier.Surgery;

namespace Espalier.Upcycler.ExpertSelection;

/// <summary>Gives new slots to experts by score.</summary>
public interface ISlotSelection : IStageMethod
{
    /// <summary>The source of each new slot, as an index into <paramref name="scores"/>.</summary>
    /// <param name="scores">Usefulness per expert; larger is more useful.</param>
    /// <param name="slots">Number of new slots.</param>
    /// <param name="options">Cap, temperature, raw scores.</param>
    /// <param name="random">Stream of this layer and doubling.</param>
    int[] Select(IReadOnlyList<double> scores, int slots, UpcycleOptions options, KeyedRandom random);
}
