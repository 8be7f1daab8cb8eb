using Espalier.Modeling.WeightFormats;
using Espalier.Pipelines.Options;
using Espalier.Surgery.Calibration;

namespace Espalier.Quantizer;

/// <summary>Which matrices get codes.</summary>
public enum QuantizationTargets
{
    /// <summary>Attention projections, experts, shared experts and dense layers' MLPs.</summary>
    Linear,

    /// <summary>Experts only.</summary>
    Experts,
}

/// <summary>Options of the stage <c>quantize</c>.</summary>
public sealed record QuantizeOptions
{
    /// <summary>The model to quantize.</summary>
    [Option("Model to quantize; may be left out when the step has one model among its needs.", Kind = OptionKind.Model)]
    public string? From { get; init; }

    /// <summary>How codes are chosen.</summary>
    /// <value>rtn</value>
    [Option("rtn: round to nearest, without text; gptq: make up for each error in the columns after it, with calibration text; "
        + "awq: scale up the channels whose inputs are large, with calibration text; fp8 and int8: numbers of 8 bits for readers that round activations too; "
        + "smoothquant and eaquant: int8 with wide channels of activations smoothed, with calibration text; "
        + "mixed: 2, 4 or 8 bits where they matter most, under a budget, with calibration text; ternary: -1, 0 and 1 times one scale per matrix.",
        ChoicesOf = typeof(Methods.IQuantizationMethod))]
    public string Method { get; init; } = "rtn";

    /// <summary>Bits of a code.</summary>
    /// <value>4</value>
    [Option("Bits per weight: 2, 4 or 8. Methods fp8, int8, smoothquant and eaquant have 8 and ternary 2 where nothing is said.", Min = 2, Max = 8)]
    public int Bits { get; init; } = 4;

    /// <summary>Input columns that share a scale.</summary>
    /// <value>64</value>
    [Option("Input columns that share a scale; -1 for one scale per output channel, which methods that fix their bits have where nothing is said; "
        + "0, with fp8, for one scale per matrix.", Min = -1, Max = 1 << 20)]
    public int GroupSize { get; init; } = 64;

    /// <summary>Whether there are no zero points.</summary>
    /// <value>true</value>
    [Option("Codes around zero, without zero points.")]
    public bool Symmetric { get; init; } = true;

    /// <summary>How codes are stored.</summary>
    /// <value>pack-quantized</value>
    [Option("How codes are stored, under the names that compressed-tensors has for it: pack-quantized in 32-bit words; int-quantized and float-quantized "
        + "as they are, which methods that fix their bits choose by themselves.", ChoicesOf = typeof(IWeightFormat))]
    public string Format { get; init; } = WeightFormat.Default;

    /// <summary>Which matrices get codes.</summary>
    /// <value>linear</value>
    [Option("linear: attention projections, experts, shared experts and dense layers; experts: routed experts only. "
        + "Router, norms, embedding and head stay as they are.")]
    public QuantizationTargets Targets { get; init; } = QuantizationTargets.Linear;

    /// <summary>Share of matrices that may fall back to rounding.</summary>
    /// <value>1</value>
    [Option("Largest share of matrices that may fall back to rounding to nearest before the step is refused.", Min = 0, Max = 1)]
    public double MaxFallback { get; init; } = 1;

    /// <summary>Calibration text.</summary>
    [Option("Text from which the inputs of each matrix are learnt; gptq, awq, smoothquant, eaquant and mixed need it.")]
    public BatchedCalibrationOptions? Calibration { get; init; }

    /// <summary>Seed of the choice of calibration text.</summary>
    /// <value>0</value>
    [Option("Seed of the choice of calibration text.")]
    public long Seed { get; init; }
}
