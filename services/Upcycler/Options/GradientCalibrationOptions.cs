using Espalier.Pipelines.Options;
using Espalier.Surgery.Calibration;

namespace Espalier.Upcycler;

/// <summary>Calibration text over which gradients are averaged.</summary>
public sealed record GradientCalibrationOptions : CalibrationOptions
{
    /// <summary>80 sequences, as the paper has them.</summary>
    public GradientCalibrationOptions() => Samples = 80;

    /// <summary>Batches over which gradients are averaged.</summary>
    /// <value>10</value>
    [Option("Batches over which gradients are averaged.", Min = 1, Max = 10_000)]
    public int Batches { get; init; } = 10;
}
