using Espalier.Surgery;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Duplication;

/// <summary>One matrix of an expert that is being duplicated: gate and up are (F, H), down is (H, F).</summary>
/// <param name="Projection"><c>gate</c>, <c>up</c> or <c>down</c>.</param>
/// <param name="Weight">The source's, float32.</param>
/// <param name="Own">Random stream of this matrix.</param>
/// <param name="Expert">Makes the random stream that the three matrices of the expert share: each call starts it over.</param>
/// <param name="Peer">Reads the same matrix of the other expert that takes part.</param>
public sealed record ExpertMatrix(string Projection, Tensor Weight, KeyedRandom Own, Func<KeyedRandom> Expert, Func<Tensor> Peer)
{
    /// <summary>Dimension that counts neurons: rows of gate and up, columns of down.</summary>
    public int NeuronDimension => Projection == "down" ? 1 : 0;

    /// <summary>Neurons, F.</summary>
    public int Neurons => (int)Weight.shape[NeuronDimension];

    /// <summary>Standard deviation over all entries; 0, never NaN, for one entry or equal ones.</summary>
    public static Tensor Spread(Tensor values) => values.numel() < 2 ? zeros(1, dtype: float32) : values.to(float64).std(false).to(float32);

    /// <summary>Standard normal numbers.</summary>
    public static Tensor Normal(KeyedRandom random, params long[] shape)
    {
        var values = new float[shape.Aggregate(1L, (a, b) => a * b)];
        for (var i = 0; i < values.Length; i++)
            values[i] = (float)random.NextNormal();
        return tensor(values).view(shape);
    }
}
