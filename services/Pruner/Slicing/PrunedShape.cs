using Espalier.Modeling;

namespace Espalier.Pruner.Slicing;

/// <summary>What pruning makes of a model's configuration, beyond the numbers that were asked for.</summary>
internal static class PrunedShape
{
    /// <summary>The configuration after; the source's own when nothing is cut.</summary>
    /// <param name="source">The model before.</param>
    /// <param name="experts">Experts per layer that stay.</param>
    /// <param name="width">Neurons per expert of the result.</param>
    public static ModelConfig Of(ModelConfig source, int experts, int width) =>
        experts == source.Experts && width == source.ExpertSize ? source : source with
        {
            Experts = experts,
            ExpertSize = width,
            SharedSize = SharedSize(source, width),
            ExtraLayers = 0, // they have the old number of experts at the old width, and config.json has one for all layers
        };

    /// <summary>What people have to know of it.</summary>
    public static IEnumerable<string> Notes(ModelConfig before, ModelConfig after)
    {
        if (after.ExtraLayers < before.ExtraLayers)
            yield return $"The {before.ExtraLayers} prediction layer(s) after layer {before.Layers - 1} (num_nextn_predict_layers) are left out: they are not "
                + $"run, so they cannot be pruned, and as they are they would not fit {after.Experts} experts of width {after.ExpertSize}. "
                + "The model is whole without them; it cannot draft several tokens at once any more.";
        if (after.SharedSize != before.SharedSize)
            yield return $"The shared expert is filled up with zero neurons from width {before.SharedSize} to {after.SharedSize}, which computes the same: "
                + $"{after.Family} says its width as a whole number of experts of width {after.ExpertSize}. "
                + $"A 'ratio' that leaves a divisor of {before.SharedSize} needs no zeros.";
    }

    // Families that count shared experts can only say multiples of the width of a routed one.
    private static int SharedSize(ModelConfig source, int width) =>
        ModelFamily.Of(source.Family).SharedExperts is null ? source.SharedSize : (source.SharedSize + width - 1) / width * width;
}
