using Espalier.Surgery;

namespace Espalier.Upcycler.ExpertSelection;

/// <summary>
/// Best first: each slot goes to the highest-scored expert below the cap; when all are at the cap, counting starts over.
/// Equal scores: the lower index comes first. (Expert Upcycling, arXiv 2604.19835.)
/// </summary>
public sealed class Greedy : ISlotSelection
{
    /// <inheritdoc/>
    public string Name => "greedy";

    /// <inheritdoc/>
    public string Summary => "Highest score first, up to max-copies per expert (arXiv 2604.19835).";

    /// <inheritdoc/>
    public int[] Select(IReadOnlyList<double> scores, int slots, UpcycleOptions options, KeyedRandom random)
    {
        var ranked = Enumerable.Range(0, scores.Count).OrderByDescending(e => scores[e]).ThenBy(e => e).ToArray();
        // Filling slot by slot from the top means: each expert takes its cap in turn, round after round.
        return [.. Enumerable.Range(0, slots).Select(slot => ranked[slot / options.MaxCopies % ranked.Length])];
    }
}
