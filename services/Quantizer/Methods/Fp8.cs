using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using Espalier.Modeling.WeightFormats;
using Espalier.Pipelines.Options;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Grids;
using Espalier.Stages;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Methods;

/// <summary>
/// Floating-point numbers of eight bits, E4M3 (arXiv 2209.05433): w^ = s q with s = max|w| / 448 per output channel or matrix, and q the nearest
/// number, ties to even. |w - w^| is at most |w| / 16 where q is a normal number.
/// </summary>
[MethodOptions(typeof(QuantizeOptions), MethodName)]
internal sealed class Fp8 : IQuantizationMethod
{
    /// <summary>Value of the option <c>method</c>.</summary>
    public const string MethodName = "fp8";

    /// <inheritdoc/>
    public string Name => MethodName;

    /// <inheritdoc/>
    public string Summary => "Floating-point numbers of 8 bits (E4M3), for readers that round activations to 8 bits too; needs no text.";

    /// <inheritdoc/>
    public OwnNumbers? Own { get; } = new(MethodName, FloatQuantized.FormatName, 8, [QuantizationScheme.PerChannel, WeightQuantization.PerTensor]);

    /// <inheritdoc/>
    public string Convention(QuantizationScheme scheme) => FormattableString.Invariant($"absmax/{Float8.Largest}");

    /// <inheritdoc/>
    public bool NeedsText => false;

    /// <inheritdoc/>
    public HessianRequest? Measure(StageContext context) => null;

    /// <inheritdoc/>
    public QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme, StageContext context) => Quantize(matrix, scheme);

    /// <summary>Chooses the codes of one matrix.</summary>
    public static QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme)
    {
        using var scope = NewDisposeScope();
        long[] shared = scheme.GroupSize == WeightQuantization.PerTensor ? [0, 1] : [1];
        var peaks = matrix.Weight.abs().amax(shared, keepdim: true); // (out, 1) or (1, 1)
        var scales = QuantizationGrid.Stored(peaks / Float8.Largest, matrix.StoredType);
        using var bytes = Float8.Encode(matrix.Weight / scales);
        var codes = Float8.Decode(bytes);
        var record = new MatrixRecord
        {
            Name = matrix.Name,
            Method = MethodName,
            RelativeError = RoundToNearest.RelativeError(matrix.Weight, codes * scales),
        };
        return new QuantizedMatrix(codes.MoveToOuterDisposeScope(), new QuantizationGrid(scales.MoveToOuterDisposeScope(), null), record);
    }
}
