using Espalier.Modeling;

namespace Espalier.Upcycler.Growth;

/// <summary>
/// The shared expert that a grown model gets, in the form that its family's loaders expect. Where the family has one in every layer
/// and growth makes none, narrow zeros stand in: down (gate * up) = 0 whatever the input, and no gradient moves any of them.
/// Where the family gates it, the gate's row is zero, sigmoid(0) = 1/2, and down is stored doubled, which is exact.
/// </summary>
internal static class SharedExperts
{
    // Wide enough for the usual groups of quantization, and little work beside an expert.
    private const int MostStandInWidth = 128;

    /// <summary>The configuration with a shared expert of <paramref name="width"/> neurons, 0 for none; its family is set already.</summary>
    public static ModelConfig In(ModelConfig grown, int width)
    {
        var isGated = ModelFamily.Of(grown.Family).HasGatedSharedExpert;
        return grown with { SharedSize = isGated && width == 0 ? Math.Min(MostStandInWidth, grown.ExpertSize) : width, SharedGate = isGated };
    }

    /// <summary>What the down projection is multiplied by so that the gate changes nothing.</summary>
    public static double DownFactor(ModelConfig grown) => grown.SharedGate ? 2 : 1;

    /// <summary>Writes the gate of a layer's shared expert, where there is one.</summary>
    public static Task AddGateAsync(ModelGrowth growth, int layer, string dtype, CancellationToken cancellationToken) => growth.Grown.SharedGate
        ? AddZerosAsync(growth, TensorNames.SharedExpertGate(layer), dtype, [1, growth.Grown.HiddenSize], cancellationToken)
        : Task.CompletedTask;

    /// <summary>Writes the shared expert of zeros that stands in for none, and its gate.</summary>
    public static async Task AddStandInAsync(ModelGrowth growth, int layer, string dtype, CancellationToken cancellationToken)
    {
        if (growth.Grown.SharedSize == 0)
            return;
        foreach (var projection in ModelGrowth.Projections)
            await AddZerosAsync(
                growth, TensorNames.SharedExpert(layer, projection), dtype,
                Methods.Models.FineGrainedSplit.Shape(projection, growth.Grown.SharedSize, growth.Grown.HiddenSize), cancellationToken).ConfigureAwait(false);
        await AddGateAsync(growth, layer, dtype, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Bytes of weights that the shared experts of a model made of a dense one add to a store.</summary>
    public static long NewBytes(ModelConfig grown, int elementBytes) => !grown.SharedGate ? 0
        : (long)grown.SparseLayers.Count * grown.HiddenSize * (grown.SharedSize + 1) * elementBytes;

    private static Task AddZerosAsync(ModelGrowth growth, string name, string dtype, long[] shape, CancellationToken cancellationToken) =>
        growth.AddAsync(name, dtype, shape, new float[shape[0] * shape[1]], cancellationToken);
}
