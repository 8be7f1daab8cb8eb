using Espalier.Modeling.WeightFormats;
using Espalier.Pipelines.Options;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Folding;
using Espalier.Quantizer.Grids;
using Espalier.Stages;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Methods;

/// <summary>
/// SmoothQuant (Xiao et al. 2022, arXiv 2211.10438): the widest channels of activations are made narrower, and their weights wider, before both are
/// rounded to eight bits; see <see cref="SmoothingScales"/>. Scales are folded into the norms, so all that reads one has the same: queries, keys and
/// values; or every expert, the shared one and the router. Codes are those of <see cref="Int8"/>.
/// </summary>
internal sealed class SmoothQuant : IFoldingMethod
{
    /// <summary>Value of the option <c>method</c>.</summary>
    public const string MethodName = "smoothquant";

    /// <summary>Options of the method.</summary>
    [MethodOptions(typeof(QuantizeOptions), MethodName)]
    public sealed record Settings
    {
        /// <summary>How much goes over to the weights.</summary>
        [Option("How much of the width of activations goes over to the weights: 0.5 shares it, 0.8 suits models with large outliers.", Min = 0, Max = 1)]
        public double Alpha { get; init; } = 0.5;
    }

    /// <inheritdoc/>
    public string Name => MethodName;

    /// <inheritdoc/>
    public string Summary => "Wide channels of activations go over to the weights, then whole numbers of 8 bits (SmoothQuant, arXiv 2211.10438).";

    /// <inheritdoc/>
    public OwnNumbers? Own { get; } = new(MethodName, IntQuantized.FormatName, 8, [QuantizationScheme.PerChannel]);

    /// <inheritdoc/>
    public bool NeedsMoments => false;

    /// <inheritdoc/>
    public HessianRequest? Measure(StageContext context) => new(AllTokens: false, WeightByGate: false);

    /// <inheritdoc/>
    public FoundScales FindScales(FoldedInput input, QuantizationScheme scheme, StageContext context) =>
        FindScales(input, context.ReadOptions<Settings>().Alpha);

    /// <summary>The scales of a norm's readers; other groups are left alone.</summary>
    public static FoundScales FindScales(FoldedInput input, double alpha)
    {
        using var scope = NewDisposeScope();
        if (!input.Group.MakerIsNorm || input.Magnitudes() is not (_, { } peaks))
            return FoundScales.None;
        var scales = SmoothingScales.Of(peaks, SmoothingScales.WeightPeaks(input.Group.Coded, input.Read), alpha);
        return new FoundScales(scales.MoveToOuterDisposeScope(), alpha, null, null);
    }

    /// <inheritdoc/>
    public QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme, StageContext context)
    {
        var quantized = RoundToNearest.Quantize(matrix, scheme, fallback: null);
        return quantized with { Record = quantized.Record with { Method = MethodName } };
    }
}
