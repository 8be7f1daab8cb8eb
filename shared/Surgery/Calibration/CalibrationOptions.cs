using Espalier.Pipelines.Options;
using Espalier.Tokenizers;

namespace Espalier.Surgery.Calibration;

/// <summary>The text that a model is run on before it is changed.</summary>
public record CalibrationOptions
{
    /// <summary>The dataset.</summary>
    [Option("Text to run the model on; in a pipeline, the dataset of the nearest step upstream when it is left out.",
        Kind = OptionKind.Dataset, Required = true)]
    public string? Data { get; init; }

    /// <summary>Number of sequences; a text that is too short gives fewer.</summary>
    /// <value>128</value>
    [Option("Sequences; a text that is too short gives fewer, which the report says.", Min = 1, Max = 1 << 20)]
    public int Samples { get; init; } = 128;

    /// <summary>Tokens per sequence.</summary>
    /// <value>128</value>
    [Option("Tokens per sequence.", Min = 2, Max = 1 << 20)]
    public int Length { get; init; } = 128;

    /// <summary>Whether documents begin with the beginning-of-text token.</summary>
    /// <value>tokenizer</value>
    [Option("Whether documents begin with the beginning-of-text token: as the tokenizer's own configuration says, always, or never.")]
    public BosUse Bos { get; init; } = BosUse.Tokenizer;

    /// <summary>Where tokens come from.</summary>
    /// <value>model</value>
    [Option("Where tokens come from: the model's own files; bytes: UTF-8 bytes where it has no tokenizer of any kind.")]
    public TokenizerChoice Tokenizer { get; init; } = TokenizerChoice.Model;
}

/// <summary>Calibration text that runs layer by layer, see <see cref="CalibrationRun{T}"/>.</summary>
public record BatchedCalibrationOptions : CalibrationOptions
{
    /// <summary>Sequences that run together; changes memory and speed, and results no more than rounding does.</summary>
    /// <value>8</value>
    [Option("Sequences that run together; changes memory and speed.", Min = 1, Max = 4096)]
    public int Batch { get; init; } = 8;
}
