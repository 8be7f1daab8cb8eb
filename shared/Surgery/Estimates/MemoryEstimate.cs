using Espalier.Modeling;

namespace Espalier.Surgery.Estimates;

/// <summary>Rough peak memory of work on a model, from its shape. Seen on small models; good to about a factor of 1.5.</summary>
public static class MemoryEstimate
{
    /// <summary>The runtime, the tensor engine and its buffers, before any model.</summary>
    public const long Process = 220L << 20;

    /// <summary>Activations of a forward pass over some tokens that nothing is kept of: one layer and the logits.</summary>
    public static long Forward(ModelConfig config, long tokens, long length) =>
        4 * (LayerActivations(config, tokens, length) + 2 * tokens * config.VocabularySize);

    /// <summary>
    /// Activations of a training step: every layer's, and logits with their gradient; where layers are computed again, those of one
    /// and the stream between all.
    /// </summary>
    public static long Training(ModelConfig config, long tokens, long length, bool recomputes = false) =>
        4 * ((recomputes ? LayerActivations(config, tokens, length) + config.Layers * tokens * config.HiddenSize
            : config.Layers * LayerActivations(config, tokens, length)) + 4 * tokens * config.VocabularySize);

    /// <summary>Weights of the largest layer in float32.</summary>
    public static long Layer(ModelConfig config) =>
        4 * (config.AttentionParameters + Math.Max(
            config.Experts * config.ExpertParameters + 3L * config.HiddenSize * config.SharedSize, 3L * config.HiddenSize * config.DenseSize));

    // Norms, projections, attention, and per chosen expert its two halves, their product and its output. Attention is computed in tiles, of
    // which a sum for each query is kept; only that from a latent vector, whose keys and values differ in size, has its whole matrix.
    private static long LayerActivations(ModelConfig config, long tokens, long length) =>
        tokens * (12L * config.HiddenSize + 2L * config.Heads * (config.Latent is null ? 1 : length)
            + (long)config.ExpertsPerToken * (4L * config.ExpertSize + 2L * config.HiddenSize) + 4L * Math.Max(config.SharedSize, config.DenseSize));
}
