using Espalier.Gguf.Files;
using Espalier.Modeling;

namespace Espalier.Gguf.Architectures;

/// <summary>The keys that say how a model computes.</summary>
internal static class DecoderMetadata
{
    private const int SoftmaxGate = 1, SigmoidGate = 2;

    public static void Add(GgufMetadata metadata, ModelConfig config, GgufArchitecture architecture, Action<string> note)
    {
        var prefix = architecture.Name + ".";
        void Number(string key, long value) => metadata.Add(prefix + key, value);
        void Real(string key, double value) => metadata.Add(prefix + key, value);

        Number("block_count", config.Layers);
        Number("context_length", ContextOf(config, note));
        Number("embedding_length", config.HiddenSize);
        Number("vocab_size", config.VocabularySize);
        Number("feed_forward_length", config.IsMixture && config.DenseSize == 0 ? config.ExpertSize : config.DenseSize);
        Number("attention.head_count", config.Heads);
        Real("attention.layer_norm_rms_epsilon", config.NormEpsilon);
        Real("rope.freq_base", config.RopeTheta);
        AddAttention(config, Number);
        AddScaling(metadata, config, prefix);
        if (!config.IsMixture)
            return;
        Number("expert_count", config.Experts);
        Number("expert_used_count", config.ExpertsPerToken);
        Number("expert_feed_forward_length", config.ExpertSize);
        if (architecture.HasSharedGate)
            Number("expert_shared_feed_forward_length", config.SharedSize);
        if (!architecture.HasSharedExperts)
            return;
        Number("leading_dense_block_count", config.DenseLayers.Count);
        Number("expert_shared_count", config.SharedSize / config.ExpertSize);
        Real("expert_weights_scale", config.RoutedScale);
        if (!architecture.StatesRouting)
            return;
        metadata.Add(prefix + "expert_weights_norm", config.NormalizeTopK);
        Number("expert_gating_func", config.ScoreFunction == ScoreFunction.Sigmoid ? SigmoidGate : SoftmaxGate);
        if (config.ExpertGroups > 1)
        {
            Number("expert_group_count", config.ExpertGroups);
            Number("expert_group_used_count", config.ChosenGroups);
        }
    }

    private static void AddAttention(ModelConfig config, Action<string, long> number)
    {
        if (config.Latent is not { } latent)
        {
            number("attention.head_count_kv", config.KeyValueHeads);
            number("attention.key_length", config.HeadSize);
            number("attention.value_length", config.HeadSize);
            number("rope.dimension_count", config.HeadSize);
            return;
        }
        // All heads share one latent vector: to llama.cpp that is one head of keys and values.
        number("attention.head_count_kv", 1);
        if (latent.QueryRank is { } rank)
            number("attention.q_lora_rank", rank);
        number("attention.kv_lora_rank", latent.KeyValueRank);
        number("attention.key_length", latent.KeyValueRank + latent.RotarySize);
        number("attention.value_length", latent.KeyValueRank);
        number("attention.key_length_mla", latent.PlainSize + latent.RotarySize);
        number("attention.value_length_mla", latent.ValueSize);
        number("rope.dimension_count", latent.RotarySize);
    }

    private static void AddScaling(GgufMetadata metadata, ModelConfig config, string prefix)
    {
        if (config.RopeScaling is not { Kind: RopeScalingKind.Linear or RopeScalingKind.Yarn } scaling)
            return;
        var isYarn = scaling.Kind == RopeScalingKind.Yarn;
        metadata.Add(prefix + "rope.scaling.type", isYarn ? "yarn" : "linear");
        metadata.Add(prefix + "rope.scaling.factor", scaling.Factor);
        if (!isYarn)
            return;
        metadata.Add(prefix + "rope.scaling.original_context_length", scaling.OriginalPositions);
        metadata.Add(prefix + "rope.scaling.yarn_beta_fast", scaling.BetaFast);
        metadata.Add(prefix + "rope.scaling.yarn_beta_slow", scaling.BetaSlow);
        if (config.Latent is not null)
            metadata.Add(prefix + "rope.scaling.yarn_log_multiplier", 0.1 * scaling.ScaleAllDimensions);
        else if (scaling.StatedAttentionFactor is { } stated)
            metadata.Add(prefix + "rope.scaling.attn_factor", stated / (1 + 0.1 * Math.Log(scaling.Factor))); // llama.cpp multiplies by the usual one
    }

    private static int ContextOf(ModelConfig config, Action<string> note)
    {
        if (config.WindowedLayers.Count == 0 || config.SlidingWindow is not { } window || window >= config.LongestInput)
            return config.LongestInput;
        note($"llama.cpp gives these models no attention window, so that the file states a context of {window} tokens, within which the results are the same.");
        return window;
    }
}
