using Espalier.Modeling.WeightFormats;
using Espalier.Pipelines.Options;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Grids;
using Espalier.Stages;

namespace Espalier.Quantizer.Methods;

/// <summary>
/// Whole numbers of eight bits with one scale per output channel, stored for readers that round activations to eight bits too and multiply in int8
/// (LLM.int8(), arXiv 2208.07339). Codes are those of rounding to nearest.
/// </summary>
[MethodOptions(typeof(QuantizeOptions), MethodName)]
internal sealed class Int8 : IQuantizationMethod
{
    /// <summary>Value of the option <c>method</c>.</summary>
    public const string MethodName = "int8";

    /// <inheritdoc/>
    public string Name => MethodName;

    /// <inheritdoc/>
    public string Summary => "Whole numbers of 8 bits with a scale per output channel, for readers that round activations to 8 bits too; needs no text.";

    /// <inheritdoc/>
    public OwnNumbers? Own { get; } = new(MethodName, IntQuantized.FormatName, 8, [QuantizationScheme.PerChannel]);

    /// <inheritdoc/>
    public bool NeedsText => false;

    /// <inheritdoc/>
    public HessianRequest? Measure(StageContext context) => null;

    /// <inheritdoc/>
    public QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme, StageContext context)
    {
        var quantized = RoundToNearest.Quantize(matrix, scheme, fallback: null);
        return quantized with { Record = quantized.Record with { Method = MethodName } };
    }
}
