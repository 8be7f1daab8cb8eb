using Espalier.Pipelines.Options;
using Espalier.Surgery;
using Espalier.Upcycler.ExpertSelection;

namespace Espalier.Upcycler.Methods;

/// <summary>Every expert is copied equally often: r_e = m. The baseline of Expert Upcycling (arXiv 2604.19835).</summary>
[MethodOptions(typeof(UpcycleOptions), "copy")]
public sealed class UniformCopy : IExpertSelection
{
    /// <inheritdoc/>
    public string Name => "copy";

    /// <inheritdoc/>
    public string Summary => "Copies every expert equally often (arXiv 2604.19835).";

    /// <inheritdoc/>
    public bool NeedsScores => false;

    /// <inheritdoc/>
    public int[] Choose(int experts, IReadOnlyList<double> scores, ISlotSelection selection, UpcycleOptions options, KeyedRandom random) =>
        [.. Enumerable.Range(0, experts)];
}
