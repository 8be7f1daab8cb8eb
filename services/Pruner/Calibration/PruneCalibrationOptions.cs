using Espalier.Pipelines.Options;
using Espalier.Surgery.Calibration;

namespace Espalier.Pruner.Calibration;

/// <summary>Calibration text of the stage <c>prune</c>: a number of samples, or as many as it takes for every expert to be seen.</summary>
public sealed record PruneCalibrationOptions : BatchedCalibrationOptions
{
    /// <summary>Tokens that every expert shall get; 0 takes the samples as they are.</summary>
    /// <value>0</value>
    [Option("Tokens that every expert shall get: samples are doubled until each has so many, or 'max-samples' or the text is used up; "
        + "experts with fewer then count against 'max-fallback'. 0 takes 'samples' as they are.", Min = 0, Max = 1 << 24)]
    public int TokensPerExpert { get; init; }

    /// <summary>Most samples that are taken for it.</summary>
    /// <value>eight times the samples</value>
    [Option("Most sequences that are taken for 'tokens-per-expert'; eight times 'samples' when left out.", Min = 1, Max = 1 << 20)]
    public int? MaxSamples { get; init; }

    private const int DoublingsByDefault = 3;

    /// <summary>Samples at most.</summary>
    internal int MostSamples => TokensPerExpert == 0 ? Samples : MaxSamples ?? (int)Math.Min(1L << 20, (long)Samples << DoublingsByDefault);
}
