using Espalier.Surgery;
using Espalier.Upcycler.Methods;
using Espalier.Upcycler.Metrics;
using Espalier.Upcycler.ExpertSelection;

namespace Espalier.Upcycler.Planning;

/// <summary>
/// Plans a layer by log2(m) doublings, each of which scores again: a copy's weights are its source's, so its weight
/// score is the same; a gradient score is shared by the copies.
/// </summary>
public sealed class LayerPlanner(IExpertSelection method, IUsefulnessMetric metric, ISlotSelection selection, UpcycleOptions options)
{
    /// <summary>How many times as many experts, when the options do not say.</summary>
    public const int DefaultMultiplier = 2;

    /// <summary>Experts after growth by these options.</summary>
    public static int Experts(int experts, UpcycleOptions options) =>
        options.In(0).Counts is { } counts ? counts.Sum() : experts * (options.Multiplier ?? DefaultMultiplier);

    /// <summary>The plan of one layer.</summary>
    /// <param name="layer">Layer index, part of the key of every random draw.</param>
    /// <param name="experts">Experts of the source, E.</param>
    /// <param name="sourceScores">Scores of the source's experts, or empty when the method needs none.</param>
    /// <param name="groups">Groups of neighbouring experts, which grow alike: sources are chosen within each.</param>
    public LayerPlan Plan(int layer, int experts, IReadOnlyList<double> sourceScores, int groups = 1)
    {
        if (options.Counts is { } counts)
            return ByCounts(layer, counts, groups);
        var sourceOf = Enumerable.Range(0, experts).ToList();
        var doublings = new List<Doubling>();
        for (var doubling = 0; sourceOf.Count < experts * (options.Multiplier ?? DefaultMultiplier); doubling++)
        {
            var scores = method.NeedsScores ? Inherit(sourceScores, sourceOf) : [];
            int[] order = [.. Enumerable.Range(0, groups).SelectMany(group => ChooseIn(group, doubling, scores))];
            doublings.Add(new Doubling(scores, order));
            sourceOf.AddRange(order.Select(slot => sourceOf[slot]).ToList());
        }
        return new LayerPlan(layer, sourceOf, doublings, groups);

        IEnumerable<int> ChooseIn(int group, int doubling, double[] scores)
        {
            int[] members = [.. Enumerable.Range(0, sourceOf.Count).Where(expert => sourceOf[expert] / (experts / groups) == group)];
            var random = new KeyedRandom(options.Seed, layer, groups == 1 ? "selection" : $"selection/{group}", doubling);
            double[] own = method.NeedsScores ? [.. members.Select(expert => scores[expert])] : [];
            return method.Choose(members.Length, own, selection, options, random).Select(member => members[member]);
        }
    }

    // One step, whatever the counts are: first a second expert of every source that has more than one, then a third, ...
    private static LayerPlan ByCounts(int layer, IReadOnlyList<int> counts, int groups)
    {
        int[] order = [.. from round in Enumerable.Range(1, counts.Max()) from source in Enumerable.Range(0, counts.Count)
            where counts[source] > round select source];
        return new LayerPlan(layer, [.. Enumerable.Range(0, counts.Count), .. order], [new Doubling([], order)], groups);
    }

    private double[] Inherit(IReadOnlyList<double> sourceScores, IReadOnlyList<int> sourceOf)
    {
        var members = sourceOf.CountBy(source => source).ToDictionary();
        return [.. sourceOf.Select(source => metric.IsSharedByCopies ? sourceScores[source] / members[source] : sourceScores[source])];
    }
}
