using Espalier.Modeling;
using Espalier.Modeling.WeightFormats;

namespace Espalier.Quantizer.Grids;

/// <summary>How codes relate to weights: q = clamp(round(w / s) + z), w^ = s (q - z), one scale s and zero point z per group.</summary>
/// <param name="Bits">Bits of a code b; codes lie in [-2^(b-1), 2^(b-1) - 1].</param>
/// <param name="GroupSize">Consecutive input columns that share a scale; -1 for one scale per output channel, 0 for one per matrix.</param>
/// <param name="Symmetric">Whether z is always 0.</param>
public sealed record QuantizationScheme(int Bits, int GroupSize, bool Symmetric)
{
    /// <summary>Value of <see cref="GroupSize"/> for one group per output channel.</summary>
    public const int PerChannel = -1;

    /// <summary>Smallest code.</summary>
    public int LowestCode => -(1 << (Bits - 1));

    /// <summary>Largest code.</summary>
    public int HighestCode => (1 << (Bits - 1)) - 1;

    /// <summary>Columns in a group of a matrix with <paramref name="inputs"/> columns.</summary>
    public int ColumnsPerGroup(long inputs) => GroupSize == PerChannel ? checked((int)inputs) : GroupSize;

    /// <summary>Groups in each row of a matrix with <paramref name="inputs"/> columns.</summary>
    public int Groups(long inputs) => checked((int)(inputs / ColumnsPerGroup(inputs)));

    /// <summary>Whether every group of a matrix with <paramref name="inputs"/> columns is full.</summary>
    public bool Fits(long inputs) => GroupSize <= 0 || inputs % ColumnsPerGroup(inputs) == 0;

    /// <summary>As the configuration of a model stored in <paramref name="format"/> says it.</summary>
    public WeightQuantization In(IWeightFormat format) => new(Bits, GroupSize, Symmetric) { Format = format.Name };
}
