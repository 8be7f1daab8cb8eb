using Espalier.Pipelines.Options;

namespace Espalier.Upcycler;

/// <summary>Calibration text.</summary>
public sealed record CalibrationOptions
{
    /// <summary>The dataset.</summary>
    [Option("Text to run the model on.", Kind = OptionKind.Dataset, Required = true)]
    public string? Data { get; init; }

    /// <summary>Number of sequences.</summary>
    /// <value>80</value>
    [Option("Sequences.", Min = 1, Max = 1 << 20)]
    public int Samples { get; init; } = 80;

    /// <summary>Tokens per sequence.</summary>
    /// <value>128</value>
    [Option("Tokens per sequence.", Min = 2, Max = 1 << 20)]
    public int Length { get; init; } = 128;

    /// <summary>Batches over which gradients are averaged.</summary>
    /// <value>10</value>
    [Option("Batches over which gradients are averaged.", Min = 1, Max = 10_000)]
    public int Batches { get; init; } = 10;
}
