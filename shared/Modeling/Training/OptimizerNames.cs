namespace Espalier.Modeling.Training;

/// <summary>Names of optimizers, in options and in saved states.</summary>
public static class OptimizerNames
{
    /// <summary><see cref="Training.AdamW"/>.</summary>
    public const string AdamW = "adamw";

    /// <summary><see cref="Training.AdamW8Bit"/>.</summary>
    public const string AdamW8Bit = "adamw-8bit";

    /// <summary><see cref="Training.Muon"/>.</summary>
    public const string Muon = "muon";
}
