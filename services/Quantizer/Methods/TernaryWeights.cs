using Espalier.Modeling;
using Espalier.Modeling.WeightFormats;
using Espalier.Pipelines.Options;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Grids;
using Espalier.Stages;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Methods;

/// <summary>
/// w^ = s q with s = mean|W| of the whole matrix and q = clip(round(w / (s + 1e-5)), -1, 1), as ternary experts use their latent weights
/// (BitNet b1.58, arXiv 2402.17764), in codes of two bits. A model that was trained so computes what it did, and is read by loaders that know nothing
/// of ternary experts; one that was not loses most of what it knows.
/// </summary>
[MethodOptions(typeof(QuantizeOptions), MethodName)]
internal sealed class TernaryWeights : IQuantizationMethod
{
    /// <summary>Value of the option <c>method</c>.</summary>
    public const string MethodName = "ternary";

    /// <inheritdoc/>
    public string Name => MethodName;

    /// <inheritdoc/>
    public string Summary => "-1, 0 and 1 times one scale per matrix in 2 bits, for experts that were trained so (method mote); needs no text.";

    /// <inheritdoc/>
    public OwnNumbers? Own { get; } = new(MethodName, PackQuantized.FormatName, 2, [QuantizationScheme.PerChannel]);

    /// <inheritdoc/>
    public string Convention(QuantizationScheme scheme) => "absmean";

    /// <inheritdoc/>
    public bool NeedsText => false;

    /// <inheritdoc/>
    public bool MakesTernary => true;

    /// <inheritdoc/>
    public HessianRequest? Measure(StageContext context) => null;

    /// <inheritdoc/>
    public QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme, StageContext context) => Quantize(matrix);

    /// <summary>The codes of one matrix. Each row has the matrix's scale, since the format has a scale per row at least.</summary>
    public static QuantizedMatrix Quantize(MatrixToQuantize matrix)
    {
        using var scope = NewDisposeScope();
        var scale = matrix.Weight.abs().mean([0L, 1L], keepdim: true); // (1, 1)
        var codes = (matrix.Weight / (scale + Ternary.Epsilon)).round().clamp(-1, 1);
        var scales = QuantizationGrid.Stored(scale, matrix.StoredType).expand(matrix.Weight.shape[0], 1).clone();
        var grid = new QuantizationGrid(scales.MoveToOuterDisposeScope(), null);
        var record = new MatrixRecord
        {
            Name = matrix.Name,
            Method = MethodName,
            RelativeError = RoundToNearest.RelativeError(matrix.Weight, grid.Dequantize(codes)),
        };
        return new QuantizedMatrix(codes.MoveToOuterDisposeScope(), grid, record);
    }
}
