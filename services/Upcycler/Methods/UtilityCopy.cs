using Espalier.Pipelines.Options;
using Espalier.Surgery;
using Espalier.Upcycler.ExpertSelection;

namespace Espalier.Upcycler.Methods;

/// <summary>
/// The most useful experts get the new slots: r_e = 1 + number of times e was selected, ranked within the layer, never
/// across layers. (Expert Upcycling, arXiv 2604.19835: more than three times the gap closure of uniform copies at short
/// continued training.)
/// </summary>
[MethodOptions(typeof(UpcycleOptions), "utility")]
public sealed class UtilityCopy : IExpertSelection
{
    /// <inheritdoc/>
    public string Name => "utility";

    /// <inheritdoc/>
    public string Summary => "Copies the most useful experts, by metric and selection (arXiv 2604.19835).";

    /// <inheritdoc/>
    public bool NeedsScores => true;

    /// <inheritdoc/>
    public int[] Choose(int experts, IReadOnlyList<double> scores, ISlotSelection selection, UpcycleOptions options, KeyedRandom random) =>
        selection.Select(scores, experts, options, random);
}
