using Espalier.Modeling;
using Espalier.Surgery.Estimates;

namespace Espalier.Evaluator.Passes;

/// <summary>
/// Whether models are held whole while they are measured, or a layer at a time. Plans and evaluations decide alike, each by the memory that is
/// free then.
/// </summary>
/// <param name="Options">The stage's options.</param>
/// <param name="Length">Tokens of a window.</param>
/// <param name="AtOnce">How many models a pass reads.</param>
/// <param name="FreeBytes">Bytes that may be used; 0 when that is not known.</param>
internal sealed record ModelPlacement(EvaluateOptions Options, int Length, int AtOnce, long FreeBytes)
{
    private const double Share = 0.7; // of what is free: estimates are rough, and files that are read want some of it

    private long Tokens => (long)Options.Batch * Length;

    private int ElementBytes => Options.Precision == EvaluateOptions.BFloat16 ? 2 : 4;

    /// <summary>Whether a model is held whole.</summary>
    public bool IsWhole(ModelConfig config) => FreeBytes == 0 || WholeBytes(config) <= Share * FreeBytes;

    /// <summary>Peak memory above that of the process.</summary>
    public long Bytes(ModelConfig config) => IsWhole(config) ? WholeBytes(config) : LayeredBytes(config);

    /// <summary>Weights of whole models, and the activations of a batch.</summary>
    public long WholeBytes(ModelConfig config) =>
        AtOnce * ElementBytes * config.TotalParameters + MemoryEstimate.Forward(config, Tokens, Length);

    /// <summary>The largest layer or the heads, the streams that wait, and the activations of a batch.</summary>
    public long LayeredBytes(ModelConfig config)
    {
        var ends = (long)config.VocabularySize * config.HiddenSize;
        var streams = Math.Max(LayeredPass.StreamBytes, Tokens * config.HiddenSize * sizeof(float));
        return Math.Max(MemoryEstimate.Layer(config) / sizeof(float), AtOnce * ends) * ElementBytes
            + AtOnce * streams + MemoryEstimate.Forward(config, Tokens, Length);
    }
}
