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
        + "awq: scale up the channels whose inputs are large, with calibration text.",
        ChoicesOf = typeof(Methods.IQuantizationMethod))]
    public string Method { get; init; } = "rtn";

    /// <summary>Bits of a code.</summary>
    /// <value>4</value>
    [Option("Bits per weight: 4 or 8.", Min = 4, Max = 8)]
    public int Bits { get; init; } = 4;

    /// <summary>Input columns that share a scale.</summary>
    /// <value>64</value>
    [Option("Input columns that share a scale; -1 for one scale per output channel.", Min = -1, Max = 1 << 20)]
    public int GroupSize { get; init; } = 64;

    /// <summary>Whether there are no zero points.</summary>
    /// <value>true</value>
    [Option("Codes around zero, without zero points.")]
    public bool Symmetric { get; init; } = true;

    /// <summary>How codes are stored.</summary>
    /// <value>pack-quantized</value>
    [Option("How codes are stored: pack-quantized is that of compressed-tensors.", ChoicesOf = typeof(IWeightFormat))]
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
    [Option("Text from which the inputs of each matrix are learnt; gptq and awq need it.")]
    public BatchedCalibrationOptions? Calibration { get; init; }

    /// <summary>Seed of the choice of calibration text.</summary>
    /// <value>0</value>
    [Option("Seed of the choice of calibration text.")]
    public long Seed { get; init; }
}
