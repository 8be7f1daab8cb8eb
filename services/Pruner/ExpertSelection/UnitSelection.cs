using Espalier.Contracts;
using Espalier.Modeling;

namespace Espalier.Pruner.ExpertSelection;

/// <summary>Turns scores into what stays. Equal scores: the lower index stays.</summary>
public static class UnitSelection
{
    /// <summary>How many experts stay in every layer: E minus the whole part of ratio E.</summary>
    /// <exception cref="UserInputException">Fewer than the experts per token would stay, or nothing would go.</exception>
    public static int CountExperts(ModelConfig config, double ratio)
    {
        var kept = config.Experts - (int)Math.Floor(ratio * config.Experts + 1e-9);
        if (ratio > 0 && kept == config.Experts)
            throw new UserInputException(
                $"ratio: {ratio} of {config.Experts} experts is less than one. Use at least {1.0 / config.Experts:0.####}, or granularity neuron.");
        if (kept < config.ExpertsPerToken)
            throw new UserInputException(
                $"ratio: {ratio} would leave {kept} of {config.Experts} experts, but each token uses {config.ExpertsPerToken}. "
                    + $"Use at most {1 - (double)config.ExpertsPerToken / config.Experts:0.####}.");
        return kept;
    }

    /// <summary>How many neurons stay in every expert: (1 - ratio) F to the nearest multiple, at least one multiple.</summary>
    /// <exception cref="UserInputException">Rounding would leave everything in place, or the multiple is wider than the expert.</exception>
    public static int CountNeurons(ModelConfig config, double ratio, int multipleOf)
    {
        if (ratio == 0)
            return config.ExpertSize;
        var multiples = Math.Max(1, Math.Round((1 - ratio) * config.ExpertSize / multipleOf, MidpointRounding.AwayFromZero));
        var kept = (long)multiples * multipleOf;
        if (kept >= config.ExpertSize)
            throw new UserInputException(
                $"ratio: {ratio} of expert width {config.ExpertSize} removes nothing in steps of {multipleOf}. Lower 'multiple-of' or raise 'ratio'.");
        return (int)kept;
    }

    /// <summary>Keeps the best <paramref name="count"/> experts of each layer, whole.</summary>
    public static IReadOnlyList<KeptUnits> KeepExperts(IReadOnlyList<double[]> scores, int count, int width) =>
    [
        .. scores.Select((layer, index) =>
        {
            var experts = Best(layer, count);
            return new KeptUnits(index, experts, [.. experts.Select(_ => Whole(width))]);
        }),
    ];

    /// <summary>Keeps the best <paramref name="count"/> neurons of each expert.</summary>
    public static IReadOnlyList<KeptUnits> KeepNeurons(IReadOnlyList<double[]> scores, int experts, int count) =>
    [
        .. scores.Select((layer, index) =>
        {
            var width = layer.Length / experts;
            return new KeptUnits(index, Whole(experts), [.. Whole(experts).Select(e => Best(layer.AsSpan(e * width, width).ToArray(), count))]);
        }),
    ];

    /// <summary>Keeps all there is.</summary>
    public static IReadOnlyList<KeptUnits> KeepAll(int layers, int experts, int width) =>
        [.. Enumerable.Range(0, layers).Select(layer => new KeptUnits(layer, Whole(experts), [.. Whole(experts).Select(_ => Whole(width))]))];

    /// <summary>Keeps the best (1 - ratio) of the neurons of each layer; experts end up with different widths.</summary>
    public static IReadOnlyList<KeptUnits> KeepNeuronsByLayer(IReadOnlyList<double[]> scores, int experts, double ratio) =>
        [.. scores.Select((layer, index) => KeepNeuronsGlobally([layer], experts, ratio)[0] with { Layer = index })];

    /// <summary>Keeps the best (1 - ratio) of all neurons of the model; experts end up with different widths.</summary>
    public static IReadOnlyList<KeptUnits> KeepNeuronsGlobally(IReadOnlyList<double[]> scores, int experts, double ratio)
    {
        var perLayer = scores[0].Length;
        var width = perLayer / experts;
        var all = scores.SelectMany(s => s).ToArray();
        var kept = Best(all, all.Length - (int)Math.Floor(ratio * all.Length + 1e-9)).ToLookup(unit => unit / width, unit => unit % width);
        return [.. scores.Select((_, layer) => new KeptUnits(layer, Whole(experts), [.. Whole(experts).Select(e => kept[layer * experts + e].ToArray())]))];
    }

    private static int[] Best(IReadOnlyList<double> scores, int count) =>
        [.. Enumerable.Range(0, scores.Count).OrderByDescending(i => scores[i]).ThenBy(i => i).Take(count).Order()];

    private static int[] Whole(int count) => [.. Enumerable.Range(0, count)];
}
