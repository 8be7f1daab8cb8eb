using Espalier.Pruner.Calibration;

namespace Espalier.Pruner.ExpertSelection;

/// <summary>
/// Finds super experts (Super Experts, 2025): the few whose outputs make the massive activations that attention sinks rest
/// on; a model without them falls apart. a_le = max over tokens and channels of |output of expert e in layer l|, before the
/// combine weight. An expert of the first three quarters of the layers is super when a is above the 99.5th percentile of
/// all a and above a tenth of the largest. All rows count, not only the first one that an expert gets.
/// </summary>
public static class SuperExperts
{
    private const double LayerShare = 0.75;
    private const double Percentile = 0.995;
    private const double ShareOfLargest = 0.1;

    /// <summary>The super experts, by layer, then expert.</summary>
    /// <param name="sums">Sums over the calibration text, per layer.</param>
    public static IReadOnlyList<(int Layer, int Expert)> Find(IReadOnlyList<LayerSums> sums)
    {
        var all = sums.SelectMany(layer => layer.Largest).Order().ToArray();
        var place = Percentile * (all.Length - 1);
        var below = (int)Math.Floor(place);
        var high = all[below] + (place - below) * (all[Math.Min(below + 1, all.Length - 1)] - all[below]);
        var least = Math.Max(high, ShareOfLargest * all[^1]);
        return
        [
            .. from layer in Enumerable.Range(0, (int)Math.Round(LayerShare * sums.Count, MidpointRounding.AwayFromZero))
               from expert in Enumerable.Range(0, sums[layer].Experts)
               where sums[layer].Largest[expert] > least
               select (layer, expert),
        ];
    }

    /// <summary>Scores in which the units of some experts come before all others.</summary>
    /// <param name="scores">Per layer, one score per expert or per neuron.</param>
    /// <param name="experts">Experts per layer.</param>
    /// <param name="kept">Experts that must stay whole.</param>
    public static IReadOnlyList<double[]> Protect(IReadOnlyList<double[]> scores, int experts, IReadOnlyCollection<(int Layer, int Expert)> kept) =>
    [
        .. scores.Select((layer, index) =>
            layer.Select((score, unit) => kept.Contains((index, unit / (layer.Length / experts))) ? double.PositiveInfinity : score).ToArray()),
    ];
}
