using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Grids;

/// <summary>
/// Scales and zero points of groups of weights, found from the extremes of each group.
/// <para>
/// Symmetric: s = max|w| / ((2^b - 1) / 2), that is max|w| / 7.5 for 4 bits, as GPTQ and compressed-tensors do it; the positive
/// extreme rounds to 2^(b-1) and is clamped to 2^(b-1) - 1. Asymmetric: lo = min(w, 0), hi = max(w, 0), s = (hi - lo) / (2^b - 1),
/// z = clamp(round(-2^(b-1) - lo / s)), so that zero is always representable. Scales are rounded to the element type they are
/// stored in before anything is rounded with them; a group of zeros gets that type's epsilon.
/// </para>
/// </summary>
/// <param name="Scales">(out, groups), or (1, 1) for one per matrix, in the element type of the computation.</param>
/// <param name="ZeroPoints">(out, groups) whole numbers in the element type of the computation; null when symmetric.</param>
internal sealed record QuantizationGrid(Tensor Scales, Tensor? ZeroPoints)
{
    /// <summary>The name under which the convention is recorded.</summary>
    public static string Convention(QuantizationScheme scheme) =>
        scheme.Symmetric ? $"absmax/{((1 << scheme.Bits) - 1) / 2.0}" : $"minmax/{(1 << scheme.Bits) - 1}";

    /// <summary>The grid of a whole matrix.</summary>
    /// <param name="weight">(out, in).</param>
    /// <param name="scheme">Bits, group size, symmetry.</param>
    /// <param name="storedType">Element type in which scales are stored.</param>
    public static QuantizationGrid Of(Tensor weight, QuantizationScheme scheme, ScalarType storedType)
    {
        using var scope = NewDisposeScope();
        var (rows, inputs) = (weight.shape[0], weight.shape[1]);
        var groups = weight.reshape(rows, scheme.Groups(inputs), scheme.ColumnsPerGroup(inputs)); // (out, groups, g)
        Tensor scales;
        Tensor? zeroPoints = null;
        if (scheme.Symmetric)
        {
            scales = Stored(groups.abs().amax([2L]) / (((1 << scheme.Bits) - 1) / 2.0), storedType);
        }
        else
        {
            var low = groups.amin([2L]).clamp(max: 0);
            var high = groups.amax([2L]).clamp(min: 0);
            scales = Stored((high - low) / ((1 << scheme.Bits) - 1), storedType);
            zeroPoints = (scheme.LowestCode - low / scales).round().clamp(scheme.LowestCode, scheme.HighestCode).MoveToOuterDisposeScope();
        }
        return new QuantizationGrid(scales.MoveToOuterDisposeScope(), zeroPoints);
    }

    /// <summary>Codes of a matrix: (out, in) whole numbers in the weight's own element type.</summary>
    public Tensor Quantize(Tensor weight, QuantizationScheme scheme)
    {
        using var scope = NewDisposeScope();
        var groups = weight.reshape(weight.shape[0], Scales.shape[1], -1); // (out, groups, g)
        var codes = (groups / Scales.unsqueeze(2)).round();
        if (ZeroPoints is not null)
            codes += ZeroPoints.unsqueeze(2);
        return codes.clamp(scheme.LowestCode, scheme.HighestCode).reshape(weight.shape).MoveToOuterDisposeScope();
    }

    /// <summary>The weights that codes stand for: (out, in).</summary>
    public Tensor Dequantize(Tensor codes)
    {
        using var scope = NewDisposeScope();
        var groups = codes.reshape(codes.shape[0], Scales.shape[1], -1);
        if (ZeroPoints is not null)
            groups = groups - ZeroPoints.unsqueeze(2);
        return (groups * Scales.unsqueeze(2)).reshape(codes.shape).MoveToOuterDisposeScope();
    }

    /// <summary>Scales as they are after they were stored: rounded to their type, and not 0.</summary>
    public static Tensor Stored(Tensor scales, ScalarType storedType)
    {
        var rounded = scales.to(storedType).to(scales.dtype);
        return where(rounded > 0, rounded, full_like(rounded, Epsilon(storedType)));
    }

    private static double Epsilon(ScalarType type) => type switch
    {
        ScalarType.BFloat16 => 1.0 / (1 << 7),
        ScalarType.Float16 => 1.0 / (1 << 10),
        _ => 1.0 / (1 << 23),
    };
}
