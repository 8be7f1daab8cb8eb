using System.Text.Json;
using System.Text.Json.Serialization;

namespace Espalier.Modeling;

/// <summary>Which layers attend only to a window of positions.</summary>
public enum AttentionWindow
{
    /// <summary>None: <c>sliding_window</c> is not a key of the family.</summary>
    None,

    /// <summary>Every layer, when <c>sliding_window</c> is given.</summary>
    Stated,

    /// <summary>Only when <c>use_sliding_window</c> says so.</summary>
    Flagged,
}

/// <summary>
/// One model family as data: which keys its <c>config.json</c> has, what it means where it is silent, and which conventions the
/// decoder follows. Every family is one file, <c>NAME.json</c>, whose keys are the properties below in kebab-case; a family's
/// tensor names are the file's section <c>tensors</c>, which the artifact store reads.
/// </summary>
public sealed record ModelFamily
{
    /// <summary>The family of a <c>config.json</c> without <c>model_type</c>.</summary>
    public const string Default = "olmoe";

    /// <summary>Value of <c>model_type</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Value of <c>architectures</c>.</summary>
    public required string Architecture { get; init; }

    /// <summary>Top-level keys that the family spells in its own way: the common name (that of most families) to the family's.</summary>
    public IReadOnlyDictionary<string, string> Keys { get; init; } = new Dictionary<string, string>();

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

    /// <summary>How queries and keys are normed.</summary>
    public QueryKeyNorm QueryKeyNorm { get; init; }

    /// <summary>Whether <c>clip_qkv</c> is a key of the family, written even when it is null.</summary>
    public bool HasClipKey { get; init; }

    /// <summary>Width per head when <c>head_dim</c> is absent; null for the hidden size over the heads.</summary>
    public int? HeadSize { get; init; }

    /// <summary>Base of the rotary angles when <c>rope_theta</c> is absent.</summary>
    public double RopeTheta { get; init; } = 10_000;

    /// <summary>Whether attention is limited to a window.</summary>
    public AttentionWindow Window { get; init; }

    /// <summary>First layer with a window when <c>max_window_layers</c> is absent; null when only <c>layer_types</c> can say which.</summary>
    public int? FirstWindowedLayer { get; init; }

    /// <summary>Whether attention is latent, see <see cref="LatentAttention"/>.</summary>
    public bool IsLatent { get; init; }

    /// <summary>Latent attention: whether <c>rope_interleave</c> says how rotary pairs lie; otherwise always side by side.</summary>
    public bool HasInterleaveKey { get; init; }

    /// <summary>Added to the mean square in norms when <c>rms_norm_eps</c> is absent.</summary>
    public double NormEpsilon { get; init; } = 1e-6;

    /// <summary>How router logits become scores when <c>scoring_func</c> is absent.</summary>
    public ScoreFunction ScoreFunction { get; init; }

    /// <summary>Whether published checkpoints have a selection bias beside the router.</summary>
    public bool HasSelectionBias { get; init; }

    /// <summary>Whether gates are divided by their sum when <c>norm_topk_prob</c> is absent.</summary>
    public bool NormalizesTopK { get; init; }

    /// <summary>Whether <c>norm_topk_prob</c> is a key of this family; Mixtral always divides.</summary>
    public bool HasNormalizeKey { get; init; } = true;

    /// <summary>Whether the gate of a single expert per token is never divided.</summary>
    public bool KeepsSingleGate { get; init; }

    /// <summary>What gates are multiplied by when <c>routed_scaling_factor</c> is absent; null when the family has no such key.</summary>
    public double? RoutedScale { get; init; }

    /// <summary>Whether gates that are divided by their sum are not scaled: the published code does one or the other.</summary>
    public bool ScalesUnlessNormalized { get; init; }

    /// <summary>Weight of the load-balancing loss when <c>router_aux_loss_coef</c> is absent.</summary>
    public double BalanceCoefficient { get; init; } = 0.001;

    /// <summary>Expert groups when <c>n_group</c> is absent; null when the family has no such key.</summary>
    public int? ExpertGroups { get; init; }

    /// <summary>Chosen groups when <c>topk_group</c> is absent.</summary>
    public int? ChosenGroups { get; init; }

    /// <summary>Whether experts are chosen by groups whatever <c>topk_method</c> says.</summary>
    public bool AlwaysGrouped { get; init; }

    /// <summary>Value of <c>topk_method</c> for a choice by groups.</summary>
    public string? GroupMethod { get; init; }

    /// <summary>How many of a group's largest scores add up to the group's score.</summary>
    public int GroupScoreMembers { get; init; } = 1;

    /// <summary>Shared experts when <c>n_shared_experts</c> is absent; null when the family has no such key.</summary>
    public int? SharedExperts { get; init; }

    /// <summary>Whether the family has one shared expert with a sigmoid gate, <c>shared_expert_intermediate_size</c>.</summary>
    public bool HasGatedSharedExpert { get; init; }

    /// <summary>Dense layers at the start when <c>first_k_dense_replace</c> is absent; null when the family has no such key.</summary>
    public int? FirstDenseLayers { get; init; }

    /// <summary>Whether <c>moe_layer_freq</c> says that only every n-th layer has experts.</summary>
    public bool HasLayerFrequency { get; init; }

    /// <summary>Whether <c>mlp_only_layers</c> and <c>decoder_sparse_step</c> say which layers are dense.</summary>
    public bool HasSparseStep { get; init; }

    /// <summary>Whether <c>num_nextn_predict_layers</c> counts further layers that are stored and not run.</summary>
    public bool HasPredictionLayers { get; init; }

    /// <summary>Dense families: the mixture that their weights fit into unchanged; null for a mixture.</summary>
    public string? Mixture { get; init; }

    /// <summary>The same for a mixture with a shared expert, where that is another family.</summary>
    public string? MixtureWithSharedExpert { get; init; }

    /// <summary>How tensors are named; read by the artifact store.</summary>
    public JsonElement? Tensors { get; init; }

    /// <summary>Whether the family has no experts.</summary>
    [JsonIgnore]
    public bool IsDense => ExpertsKey is null;

    /// <summary>Every known family, by name in ordinal order.</summary>
    public static IReadOnlyList<ModelFamily> All => FamilyCatalog.All;

    /// <summary>The family of that name, or null.</summary>
    public static ModelFamily? Find(string name) => FamilyCatalog.Find(name);

    /// <summary>The family of that name.</summary>
    /// <exception cref="InvalidModelException">There is none; the message lists those that exist.</exception>
    public static ModelFamily Of(string name) => Find(name)
        ?? throw new InvalidModelException($"The model family '{name}' is not supported; supported: {string.Join(", ", All.Select(family => family.Name))}.");
}
