namespace Espalier.Modeling;

/// <summary>What <c>config.json</c> of one model family means where it is silent, and which keys it uses.</summary>
internal sealed record ModelFamily(string Name, string Architecture)
{
    /// <summary>Key of the number of experts; null for dense families.</summary>
    public string? ExpertsKey { get; init; }

    /// <summary>Key of an expert's inner width.</summary>
    public string ExpertSizeKey { get; init; } = "moe_intermediate_size";

    /// <summary>Key that says whether q, k and v have biases; null for none or always.</summary>
    public string? BiasKey { get; init; } = "attention_bias";

    /// <summary>Whether q, k and v have biases when the key is absent, or always when there is no key.</summary>
    public bool HasBias { get; init; }

    /// <summary>Whether the output projection has a bias whenever q, k and v do.</summary>
    public bool BiasReachesOutput { get; init; } = true;

    public QueryKeyNorm QueryKeyNorm { get; init; }

    public int? HeadSize { get; init; }

    public double RopeTheta { get; init; } = 10_000;

    public double NormEpsilon { get; init; } = 1e-6;

    /// <summary>Whether gates are divided by their sum when <c>norm_topk_prob</c> is absent.</summary>
    public bool NormalizesTopK { get; init; }

    /// <summary>Whether <c>norm_topk_prob</c> is a key of this family; Mixtral always divides.</summary>
    public bool HasNormalizeKey { get; init; } = true;

    public ScoreFunction ScoreFunction { get; init; }

    public double BalanceCoefficient { get; init; } = 0.001;

    /// <summary>Whether the softmax over experts is multiplied by <c>routed_scaling_factor</c>, and its default.</summary>
    public double? RoutedScale { get; init; }

    /// <summary>Shared experts when <c>n_shared_experts</c> is absent; null when the family has no such key.</summary>
    public int? SharedExperts { get; init; }

    /// <summary>Whether the family has one shared expert with a sigmoid gate, <c>shared_expert_intermediate_size</c>.</summary>
    public bool HasGatedSharedExpert { get; init; }

    /// <summary>Dense layers at the start when <c>first_k_dense_replace</c> is absent; null when the family has no such key.</summary>
    public int? FirstDenseLayers { get; init; }

    /// <summary>Whether <c>mlp_only_layers</c> and <c>decoder_sparse_step</c> say which layers are dense.</summary>
    public bool HasSparseStep { get; init; }

    public bool IsLatent { get; init; }

    /// <summary>Expert groups when <c>n_group</c> is absent; null when the family has no such key.</summary>
    public int? ExpertGroups { get; init; }

    /// <summary>Chosen groups when <c>topk_group</c> is absent.</summary>
    public int? ChosenGroups { get; init; }

    public bool IsDense => ExpertsKey is null;

    public static IReadOnlyList<ModelFamily> All { get; } =
    [
        new("olmoe", "OlmoeForCausalLM")
        {
            ExpertsKey = "num_experts", ExpertSizeKey = "intermediate_size", QueryKeyNorm = QueryKeyNorm.Whole, NormEpsilon = 1e-5, BalanceCoefficient = 0.01,
        },
        new("mixtral", "MixtralForCausalLM")
        {
            ExpertsKey = "num_local_experts", ExpertSizeKey = "intermediate_size", BiasKey = null, RopeTheta = 1_000_000, NormEpsilon = 1e-5,
            NormalizesTopK = true, HasNormalizeKey = false,
        },
        new("qwen2_moe", "Qwen2MoeForCausalLM")
        {
            ExpertsKey = "num_experts", BiasKey = "qkv_bias", HasBias = true, BiasReachesOutput = false, HasGatedSharedExpert = true, HasSparseStep = true,
        },
        new("qwen3_moe", "Qwen3MoeForCausalLM") { ExpertsKey = "num_experts", QueryKeyNorm = QueryKeyNorm.PerHead, HasSparseStep = true },
        new("deepseek", "DeepseekForCausalLM") { ExpertsKey = "n_routed_experts", SharedExperts = 0, FirstDenseLayers = 0 },
        new("deepseek_v2", "DeepseekV2ForCausalLM")
        {
            ExpertsKey = "n_routed_experts", SharedExperts = 2, FirstDenseLayers = 0, IsLatent = true, RoutedScale = 1, ExpertGroups = 1, ChosenGroups = 1,
        },
        new("deepseek_v3", "DeepseekV3ForCausalLM")
        {
            ExpertsKey = "n_routed_experts", SharedExperts = 1, FirstDenseLayers = 3, IsLatent = true, RoutedScale = 2.5, ExpertGroups = 8, ChosenGroups = 4,
            NormalizesTopK = true, ScoreFunction = ScoreFunction.Sigmoid,
        },
        new("llama", "LlamaForCausalLM"),
        new("mistral", "MistralForCausalLM") { BiasKey = null },
        new("qwen2", "Qwen2ForCausalLM") { BiasKey = null, HasBias = true, BiasReachesOutput = false },
        new("qwen3", "Qwen3ForCausalLM") { QueryKeyNorm = QueryKeyNorm.PerHead, HeadSize = 128 },
    ];

    public static ModelFamily? Find(string name) => All.FirstOrDefault(family => family.Name == name);

    public static ModelFamily Of(string name) => Find(name)
        ?? throw new InvalidModelException($"The model family '{name}' is not supported; supported: {string.Join(", ", All.Select(family => family.Name))}.");
}
