using Espalier.Contracts;
using Espalier.Modeling;

namespace Espalier.Gguf.Architectures;

/// <summary>What of a model llama.cpp would compute otherwise, or cannot hold: said before anything is written.</summary>
internal static class GgufRules
{
    // It knows DeepSeek-V2-Lite and its likes by their number of layers.
    private static readonly int[] LiteLayers = [26, 27];

    /// <summary>Checks a model.</summary>
    /// <param name="config">Its configuration.</param>
    /// <param name="names">Names of its tensors, as the store has them.</param>
    /// <exception cref="UserInputException">All problems, with what avoids them.</exception>
    public static GgufArchitecture Check(ModelConfig config, IReadOnlyCollection<string> names)
    {
        var architecture = GgufArchitecture.Of(config.Family)
            ?? throw new UserInputException($"llama.cpp has no architecture for models of the family {config.Family}.");
        var problems = Problems(config, architecture, names as IReadOnlySet<string> ?? names.ToHashSet(StringComparer.Ordinal)).ToList();
        return problems.Count == 0 ? architecture : throw new UserInputException(
            [.. problems.Select(p => new Problem("gguf", 0, 0, $"llama.cpp's architecture '{architecture.Name}' {p}"))]);
    }

    private static IEnumerable<string> Problems(ModelConfig config, GgufArchitecture architecture, IReadOnlySet<string> names)
    {
        if (config.QueryKeyNorm != architecture.Norm && config.Latent is null)
            yield return "norms queries and keys otherwise (qk_norm). Grow into a family that its attention fits.";
        if (architecture.Norm == QueryKeyNorm.Whole && config.KeyValueHeads != config.Heads)
            yield return "has as many heads of keys as of queries (num_key_value_heads).";
        if (config.Latent is { QueryRank: null } && !LiteLayers.Contains(config.Layers))
        {
            yield return $"projects queries directly (no q_lora_rank) only in models of {string.Join(" or ", LiteLayers)} layers; "
                + $"this one has {config.Layers}.";
        }
        if (config.ClipQkv is not null)
            yield return "does not clamp queries, keys and values (clip_qkv). Take the key out if the values never reach the bound.";
        if (config.Latent is null && config.OutputBias && architecture.Name != "llama")
            yield return "has no bias behind attention.";
        if (config.Latent is not null && (config.QueryKeyValueBias || config.OutputBias))
            yield return "has no biases in attention (attention_bias).";
        if (config.Latent is null && config.QueryKeyValueBias && architecture.Name is not ("llama" or "qwen2" or "qwen2moe"))
            yield return "has no biases of queries, keys and values.";
        if (config.RopeScaling is { Kind: RopeScalingKind.Dynamic })
            yield return "does not stretch rotary angles by a text's length (rope_scaling: dynamic). Set a linear factor for the length that you need.";
        if (config.RopeScaling is { Kind: RopeScalingKind.Yarn, Truncates: false })
            yield return "rounds the ends of yarn's ramp to whole dimensions (truncate: false is not known).";
        if (config is { Latent: not null, RopeScaling: { Kind: RopeScalingKind.Yarn } yarn }
            && (yarn.Scale != yarn.ScaleAllDimensions || yarn.StatedAttentionFactor is not null))
            yield return "takes mscale and mscale_all_dim of yarn to be the same, as published models have them.";
        if (config.TernaryExperts)
            yield return "has no ternary experts.";
        if (config.IsMixture)
        {
            foreach (var problem in MixtureProblems(config, architecture, names))
                yield return problem;
        }
    }

    private static IEnumerable<string> MixtureProblems(ModelConfig config, GgufArchitecture architecture, IReadOnlySet<string> names)
    {
        if (architecture.NormalizesTopK is { } normalizes && normalizes != config.NormalizeTopK)
            yield return normalizes
                ? "always divides the gates by their sum, which this model does not (norm_topk_prob)."
                : "never divides the gates by their sum, as this model does (norm_topk_prob). Train with the family's own 'normalize-top-k'.";
        if (!architecture.StatesRouting && config.ScoreFunction != ScoreFunction.Softmax)
            yield return "scores by softmax; this model by sigmoid.";
        if (!architecture.StatesRouting && config.RoutedScale != 1 && architecture.Name != "deepseek")
            yield return "does not scale gates (routed_scaling_factor).";
        if (config.SparseLayers.Any(layer => names.Contains(TensorNames.RouterBias(layer))))
            yield return "has no bias of router logits. Growth without 'preserve: frozen' and with a router method other than bias-only adds none.";
        if (!architecture.HasSelectionBias && config.SparseLayers.Any(layer => names.Contains(TensorNames.SelectionBias(layer))))
            yield return "has no selection bias. Train with 'selection-bias: fold', which leads it to zero and leaves it out, or with 'balance: loss'.";
        if (config.SiblingExclusive)
            yield return "chooses experts freely, not one of each group of siblings. Train with 'release-siblings' below 1.";
        if (config.TopP is not null)
            yield return "uses the same number of experts for every token (top-p).";
        if (config.ExpertGroups > 1 && (!architecture.StatesRouting || config.GroupScoreMembers != 2))
            yield return "does not choose among groups of experts by their best one (n_group, topk_group).";
        if (config.DenseLayers.Count > 0 && !(architecture.HasSharedExperts && config.DenseLayers.SequenceEqual(Enumerable.Range(0, config.DenseLayers.Count))))
            yield return architecture.HasSharedExperts
                ? "has dense layers at the beginning only."
                : "has experts in every layer, and this model has dense ones (mlp_only_layers, decoder_sparse_step).";
        if (architecture.HasSharedGate && !config.SharedGate)
            yield return "has a shared expert with a gate in every layer.";
        if (architecture.HasSharedExperts && (config.SharedSize == 0 || config.SharedGate || config.SharedSize % config.ExpertSize != 0))
            yield return $"has shared experts, together as wide as a number of others ({config.ExpertSize}); this model's are {config.SharedSize} wide.";
        if (!architecture.HasSharedGate && !architecture.HasSharedExperts && config.SharedSize > 0)
            yield return "has no shared experts. Grow with 'shared: none', or into a family that has them.";
    }
}
