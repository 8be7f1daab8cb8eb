using Espalier.Pipelines.Options;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Grids;
using Espalier.Stages;
using TorchSharp;

namespace Espalier.Quantizer.Methods;

/// <summary>
/// q = clamp(round(w / s) + z) with round half to even, for every weight by itself. Needs no text; the baseline for
/// anything smarter. |w - w^| is at most s / 2, and s where the code is clamped.
/// </summary>
[MethodOptions(typeof(QuantizeOptions), MethodName)]
internal sealed class RoundToNearest : IQuantizationMethod
{
    /// <summary>Value of the option <c>method</c>.</summary>
    public const string MethodName = "rtn";

    /// <inheritdoc/>
    public string Name => MethodName;

    /// <inheritdoc/>
    public string Summary => "Every weight by itself to the nearest code; needs no text.";

    /// <inheritdoc/>
    public bool NeedsText => false;

    /// <inheritdoc/>
    public HessianRequest? Measure(StageContext context) => null;

    /// <inheritdoc/>
    public QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme, StageContext context) =>
        Quantize(matrix, scheme, fallback: null);

    /// <summary>As the stand-in of another method, for the reason given.</summary>
    public static QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme, string? fallback)
    {
        using var scope = torch.NewDisposeScope();
        var grid = QuantizationGrid.Of(matrix.Weight, scheme, matrix.StoredType);
        var codes = grid.Quantize(matrix.Weight, scheme);
        var record = new MatrixRecord
        {
            Name = matrix.Name,
            Method = MethodName,
            Fallback = fallback,
            RelativeError = RelativeError(matrix.Weight, grid.Dequantize(codes)),
            Tokens = matrix.Inputs?.Tokens,
        };
        grid.Scales.MoveToOuterDisposeScope();
        grid.ZeroPoints?.MoveToOuterDisposeScope();
        return new QuantizedMatrix(codes.MoveToOuterDisposeScope(), grid, record);
    }

    /// <summary>|W - W^| / |W|; 0 for a matrix of zeros.</summary>
    public static double RelativeError(torch.Tensor weight, torch.Tensor dequantized)
    {
        using var scope = torch.NewDisposeScope();
        var size = weight.to(torch.float64).square().sum().item<double>();
        var error = (weight - dequantized).to(torch.float64).square().sum().item<double>();
        return size == 0 ? 0 : Math.Sqrt(error / size);
    }
}
