using Espalier.Modeling.WeightFormats;
using Espalier.Pipelines.Options;
using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Folding;
using Espalier.Quantizer.Grids;
using Espalier.Stages;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Methods;

/// <summary>
/// The smoothing of EAQuant (arXiv 2506.13329) in eight bits: every expert has scales of its own from the tokens that are routed to it, s_e,j =
/// max|x_j|^a / max|w_j|^(1 - a) over its gate and up, and what reads the norm gets the largest, s_j = max_e s_e,j, with the shared expert's among
/// them and, if asked for, the router's. So a channel that is wide for one rarely used expert is smoothed as well. Attention is smoothed as in
/// <see cref="SmoothQuant"/>. The paper's alignment of a quantized router and its balance of calibration tokens are not here: routers keep their
/// weights.
/// </summary>
internal sealed class EaQuant : IFoldingMethod
{
    /// <summary>Value of the option <c>method</c>.</summary>
    public const string MethodName = "eaquant";

    /// <summary>Options of the method.</summary>
    [MethodOptions(typeof(QuantizeOptions), MethodName)]
    public sealed record Settings
    {
        /// <summary>How much goes over to the weights.</summary>
        [Option("How much of the width of activations goes over to the weights.", Min = 0, Max = 1)]
        public double Alpha { get; init; } = 0.6;

        /// <summary>Whether the router has a say.</summary>
        [Option("Whether the router's own scales count among those of the experts, of which each channel gets the largest.")]
        public bool WithRouter { get; init; }
    }

    /// <inheritdoc/>
    public string Name => MethodName;

    /// <inheritdoc/>
    public string Summary => "As smoothquant, with the largest of all experts' own scales for each channel (the smoothing of EAQuant, arXiv 2506.13329).";

    /// <inheritdoc/>
    public OwnNumbers? Own { get; } = new(MethodName, IntQuantized.FormatName, 8, [QuantizationScheme.PerChannel]);

    /// <inheritdoc/>
    public bool NeedsMoments => false;

    /// <inheritdoc/>
    public HessianRequest? Measure(StageContext context) => new(AllTokens: false, WeightByGate: false);

    /// <inheritdoc/>
    public FoundScales FindScales(FoldedInput input, QuantizationScheme scheme, StageContext context) => FindScales(input, context.ReadOptions<Settings>());

    /// <summary>The scales of a norm's readers; other groups are left alone.</summary>
    public static FoundScales FindScales(FoldedInput input, Settings settings)
    {
        if (!input.Group.Coded.Any(IsOfExpert))
            return SmoothQuant.FindScales(input, settings.Alpha);
        using var scope = NewDisposeScope();
        if (!input.Group.MakerIsNorm)
            return FoundScales.None;
        var routers = settings.WithRouter ? input.Group.Plain.Where(IsRouter) : [];
        Tensor? largest = null;
        foreach (var expert in input.Group.Coded.Concat(routers).GroupBy(name => IsRouter(name) ? name : name[..name.LastIndexOf('.', name.Length - 8)]))
        {
            using var expertScope = NewDisposeScope();
            if (input.RoutedPeaks(expert.First()) is not { } peaks)
                continue; // no token reached it
            var scales = SmoothingScales.Of(peaks, SmoothingScales.WeightPeaks(expert, input.Read), settings.Alpha);
            largest = (largest is null ? scales.alias() : maximum(largest, scales)).MoveToOtherDisposeScope(scope);
        }
        return largest is null ? FoundScales.None : new FoundScales(largest.MoveToOuterDisposeScope(), settings.Alpha, null, null);
    }

    /// <inheritdoc/>
    public QuantizedMatrix Quantize(MatrixToQuantize matrix, QuantizationScheme scheme, StageContext context)
    {
        var quantized = RoundToNearest.Quantize(matrix, scheme, fallback: null);
        return quantized with { Record = quantized.Record with { Method = MethodName } };
    }

    private static bool IsOfExpert(string name) => name.Contains(".mlp.experts.", StringComparison.Ordinal);

    private static bool IsRouter(string name) => name.EndsWith(".mlp.gate.weight", StringComparison.Ordinal);
}
