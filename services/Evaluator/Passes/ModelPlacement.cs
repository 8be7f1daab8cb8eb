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
        AtOnce * ElementBytes * config.TotalParameters + Activations(config);

    /// <summary>The largest layer or the heads, the streams that wait, and the activations of a batch.</summary>
    public long LayeredBytes(ModelConfig config)
    {
        var ends = (long)config.VocabularySize * config.HiddenSize;
        var ofToken = (long)config.HiddenSize * sizeof(float);
        var text = Math.Min(Options.MaxTokens ?? long.MaxValue, LayeredPass.StreamBytes / ofToken); // all that is read, or as much as is held
        var streams = Math.Max(text, Tokens) * ofToken;
        return Math.Max(MemoryEstimate.Layer(config) / sizeof(float), AtOnce * ends) * ElementBytes
            + AtOnce * streams + Activations(config);
    }

    // One layer's, or those of the head, which is used on some rows at a time: log-probabilities of two models with what is made of them, or of one.
    private long Activations(ModelConfig config)
    {
        var logits = Tokens * config.VocabularySize;
        return Math.Max(
            MemoryEstimate.Forward(config with { VocabularySize = 1 }, Tokens, Length),
            sizeof(float) * (AtOnce > 1 ? 10 * Math.Min(logits, AgreementPass.MostLogits) : 3 * Math.Min(logits, MoeDecoder.MostLogits)));
    }
}
