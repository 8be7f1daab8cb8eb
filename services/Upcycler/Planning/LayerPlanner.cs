using Espalier.Stages.Surgery;
using Espalier.Upcycler.Methods;
using Espalier.Upcycler.Metrics;
using Espalier.Upcycler.Selections;

namespace Espalier.Upcycler.Planning;

/// <summary>
/// Plans a layer by log2(m) doublings, each of which scores again: a copy's weights are its source's, so its weight
/// score is the same; a gradient score is shared by the copies.
/// </summary>
public sealed class LayerPlanner(IUpcycleMethod method, IUsefulnessMetric metric, ISelection selection, UpcycleOptions options)
{
    /// <summary>The plan of one layer.</summary>
    /// <param name="layer">Layer index, part of the key of every random draw.</param>
    /// <param name="experts">Experts of the source, E.</param>
    /// <param name="sourceScores">Scores of the source's experts, or empty when the method needs none.</param>
    public LayerPlan Plan(int layer, int experts, IReadOnlyList<double> sourceScores)
    {
        var sourceOf = Enumerable.Range(0, experts).ToList();
        var doublings = new List<Doubling>();
        for (var doubling = 0; sourceOf.Count < experts * options.Multiplier; doubling++)
        {
            var scores = method.NeedsScores ? Inherit(sourceScores, sourceOf) : [];
            var random = new KeyedRandom(options.Seed, layer, "selection", doubling);
            var order = method.Choose(sourceOf.Count, scores, selection, options, random);
            doublings.Add(new Doubling(scores, order));
            sourceOf.AddRange(order.Select(slot => sourceOf[slot]).ToList());
        }
        return new LayerPlan(layer, sourceOf, doublings);
    }

    private double[] Inherit(IReadOnlyList<double> sourceScores, IReadOnlyList<int> sourceOf)
    {
        var members = sourceOf.CountBy(source => source).ToDictionary();
        return [.. sourceOf.Select(source => metric.IsSharedByCopies ? sourceScores[source] / members[source] : sourceScores[source])];
    }
}
