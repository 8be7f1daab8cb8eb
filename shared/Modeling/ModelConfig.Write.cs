using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Modeling.WeightFormats;

namespace Espalier.Modeling;

/// <summary>Writing <c>config.json</c>: the family's own keys where it has one for a fact, ours where it has none.</summary>
public sealed partial record ModelConfig
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static string[] ExpertsKeys => [.. ModelFamily.All.Select(family => family.ExpertsKey).OfType<string>().Distinct()];

    private static readonly string[] QueryKeyNorms = ["none", "whole", "per-head"];

    private static readonly string[] ScoreFunctions = ["softmax", "sigmoid"];
    private static readonly string[] RouterKinds = ["learned", "k-means"];

    /// <summary>What the file says under our own keys, since the family has no key for it or another convention: their names.</summary>
    internal IEnumerable<string> KeysBeyondFamily(ModelFamily family) => PlatformKeys(family).Select(entry => entry.Key);

    internal static string NameOf(QueryKeyNorm norm) => QueryKeyNorms[(int)norm];

    /// <summary>Writes <c>config.json</c>: the keys that were read, changed where this record differs, then our own; UTF-8, indented.</summary>
    public byte[] ToJson()
    {
        var family = ModelFamily.Of(Family);
        var root = Source?.DeepClone().AsObject() ?? new JsonObject
        {
            ["architectures"] = new JsonArray(family.Architecture),
            ["attention_bias"] = false,
            ["attention_dropout"] = 0.0,
            ["hidden_act"] = "silu",
            ["use_cache"] = true,
        };
        if (root["model_type"] is JsonValue before && before.TryGetValue<string>(out var was) && was != Family)
        {
            root["architectures"] = new JsonArray(family.Architecture);
            root.Remove(OwnCodeKey);
        }
        root["model_type"] = Family;
        root["vocab_size"] = VocabularySize;
        root["hidden_size"] = HiddenSize;
        root["num_hidden_layers"] = Layers;
        root["rms_norm_eps"] = NormEpsilon;
        root["tie_word_embeddings"] = TieEmbeddings;
        root["max_position_embeddings"] = MaxPositions;
        root["initializer_range"] = InitializerRange;
        if (EosTokenId is not null && root["eos_token_id"] is not JsonArray)
            root["eos_token_id"] = EosTokenId;
        root[root.ContainsKey("dtype") ? "dtype" : "torch_dtype"] = WeightType;
        if (root["rope_parameters"] is JsonObject rope)
            rope["rope_theta"] = RopeTheta;
        else
            root["rope_theta"] = RopeTheta;
        WriteAttention(root, family);
        WriteExperts(root, family);
        if (Quantization is null)
            root.Remove("quantization_config");
        else if (root["quantization_config"] is null)
            root["quantization_config"] = WeightFormat.Of(Quantization.Format).Write(Quantization);
        WritePlatformKeys(root, family);
        return JsonSerializer.SerializeToUtf8Bytes(KeySpelling.ToFamily(root, family), Indented);
    }

    private void WriteAttention(JsonObject root, ModelFamily family)
    {
        root["num_attention_heads"] = Heads;
        root["num_key_value_heads"] = KeyValueHeads;
        if (family.BiasKey is { } bias)
            root[bias] = QueryKeyValueBias;
        if (family.HasClipKey || ClipQkv is not null)
            root["clip_qkv"] = ClipQkv;
        WriteWindows(root, family);
        if (Latent is { } latent)
        {
            root["q_lora_rank"] = latent.QueryRank;
            root["kv_lora_rank"] = latent.KeyValueRank;
            root["qk_nope_head_dim"] = latent.PlainSize;
            root["qk_rope_head_dim"] = latent.RotarySize;
            root["v_head_dim"] = latent.ValueSize;
        }
        else if (root.ContainsKey("head_dim") || family.HeadSize is not null || HeadSize * Heads != HiddenSize)
            root["head_dim"] = HeadSize;
    }

    // Keys that say the same as before stay; layer_types must have an entry for every layer, whether or not there are windows.
    private void WriteWindows(JsonObject root, ModelFamily family)
    {
        if (WindowedLayers.Count > 0)
            root["sliding_window"] = SlidingWindow;
        var isUnderstood = Understood(root, family, out var window, out var layers) && window == SlidingWindow && layers.SequenceEqual(WindowedLayers);
        if (!isUnderstood && family.Window == AttentionWindow.Flagged)
            root["use_sliding_window"] = WindowedLayers.Count > 0;
        if (!isUnderstood && family.Window == AttentionWindow.Stated && WindowedLayers.Count == 0)
            root["sliding_window"] = null;
        var isPattern = !isUnderstood && family.Window != AttentionWindow.None && WindowedLayers.Count > 0;
        if (isPattern || root["layer_types"] is JsonArray types && (!isUnderstood || types.Count != Layers))
            root["layer_types"] = new JsonArray(
                [.. Enumerable.Range(0, Layers).Select(layer => (JsonNode)(WindowedLayers.Contains(layer) ? "sliding_attention" : "full_attention"))]);
    }

    // Which windows the family's own keys, as they are now, give.
    private bool Understood(JsonObject root, ModelFamily family, out int? window, out IReadOnlyList<int> layers)
    {
        var keys = new ConfigKeys(root);
        var read = ReadWindow(this with { SlidingWindow = null, WindowedLayers = [] }, family, keys, null);
        (window, layers) = (read.WindowedLayers.Count > 0 ? read.SlidingWindow : null, read.WindowedLayers);
        return !keys.HasProblems;
    }

    private void WriteExperts(JsonObject root, ModelFamily family)
    {
        foreach (var other in ExpertsKeys)
        {
            if (other != family.ExpertsKey)
                root.Remove(other);
        }
        if (family.IsDense)
        {
            root["intermediate_size"] = DenseSize;
            return;
        }
        root[family.ExpertsKey!] = Experts;
        root["num_experts_per_tok"] = ExpertsPerToken;
        root["router_aux_loss_coef"] = BalanceCoefficient;
        if (family.HasNormalizeKey)
            root["norm_topk_prob"] = NormalizeTopK;
        if (family.RoutedScale is not null && !(family.ScalesUnlessNormalized && NormalizeTopK))
            root["routed_scaling_factor"] = RoutedScale;
        if (family.ExpertSizeKey != "intermediate_size" && (DenseSize > 0 || !root.ContainsKey("intermediate_size")))
            root["intermediate_size"] = DenseSize > 0 ? DenseSize : ExpertSize;
        root[family.ExpertSizeKey] = ExpertSize;
        if (family.HasGatedSharedExpert)
            root["shared_expert_intermediate_size"] = Math.Max(SharedSize, 1);
        if (family.SharedExperts is not null)
            root["n_shared_experts"] = SharedSize / ExpertSize;
        if (family.ExpertGroups is not null && ExpertGroups > 1)
        {
            root["n_group"] = ExpertGroups;
            root["topk_group"] = ChosenGroups;
            root["topk_method"] = family.GroupMethod;
        }
        else if (family.AlwaysGrouped)
            (root["n_group"], root["topk_group"]) = (1, 1);
        if (family.HasPredictionLayers)
            root["num_nextn_predict_layers"] = ExtraLayers;
        WriteDenseLayers(root, family);
    }

    private void WriteDenseLayers(JsonObject root, ModelFamily family)
    {
        if (family.HasSparseStep && !DenseLayers.SequenceEqual(Understood(root, family)))
        {
            root["decoder_sparse_step"] = 1;
            root["mlp_only_layers"] = ListOf(DenseLayers);
        }
        if (family.FirstDenseLayers is not null && IsStart(DenseLayers) && !DenseLayers.SequenceEqual(Understood(root, family)))
        {
            root["first_k_dense_replace"] = DenseLayers.Count;
            root["moe_layer_freq"] = 1;
        }
    }

    // Which layers the family's own keys, as they are now, call dense.
    private IReadOnlyList<int> Understood(JsonObject root, ModelFamily family) =>
        ReadDenseLayers(this with { DenseLayers = [] }, family, new ConfigKeys(root), null).DenseLayers;

    private static JsonArray ListOf(IReadOnlyList<int> layers) => new([.. layers.Select(layer => (JsonNode)layer)]);

    private static bool IsStart(IReadOnlyList<int> layers) => layers.Select((layer, index) => layer == index).All(same => same);

    private void WritePlatformKeys(JsonObject root, ModelFamily family)
    {
        var ours = PlatformKeys(family);
        if (!family.IsDense && DenseLayers.SequenceEqual(Understood(root, family)))
        {
            ours.Remove("dense-layers");
            ours.Remove("dense-size");
        }
        var platform = root["espalier"] as JsonObject ?? [];
        foreach (var key in OwnKeys)
            platform.Remove(key);
        foreach (var (key, value) in ours.ToList())
            platform[key] = value?.DeepClone();
        if (platform.Count == 0)
            root.Remove("espalier");
        else if (platform.Parent is null)
            root["espalier"] = platform;
    }

    private static readonly string[] OwnKeys =
    [
        "sibling-groups", "routing", "score-function", "target-experts-per-token", "norm-topk-prob", "query-key-norm", "query-key-value-bias", "output-bias",
        "dense-layers", "dense-size", "shared-size", "shared-gate", "routed-scale", "ternary-experts", "windowed-layers", "top-p", "elastic",
        "router",
    ];

    // What the family has no key for, or another convention.
    private JsonObject PlatformKeys(ModelFamily family)
    {
        var ours = new JsonObject();
        Set("sibling-groups", SiblingGroups is null ? null : new JsonArray([.. SiblingGroups.Select(g => new JsonArray([.. g.Select(e => (JsonNode)e)]))]));
        Set("routing", SiblingExclusive ? "sibling-exclusive" : null);
        Set("score-function", ScoreFunction != family.ScoreFunction ? ScoreFunctions[(int)ScoreFunction] : null);
        Set("target-experts-per-token", TargetExpertsPerToken);
        Set("ternary-experts", TernaryExperts ? true : null);
        Set("top-p", TopP);
        Set("router", Router != RouterKind.Learned ? RouterKinds[(int)Router] : null);
        Set("elastic", Elastic is null ? null : new JsonObject { ["least"] = Elastic.Least, ["most"] = Elastic.Most });
        Set("norm-topk-prob", !family.IsDense && !family.HasNormalizeKey && NormalizeTopK != family.NormalizesTopK ? NormalizeTopK : null);
        Set("query-key-norm", QueryKeyNorm != family.QueryKeyNorm && Latent is null ? QueryKeyNorms[(int)QueryKeyNorm] : null);
        var bias = family.BiasKey is null ? family.HasBias : QueryKeyValueBias;
        Set("query-key-value-bias", QueryKeyValueBias != bias ? QueryKeyValueBias : null);
        Set("output-bias", OutputBias != (bias && family.BiasReachesOutput) ? OutputBias : null);
        Set("routed-scale", family.RoutedScale is null && RoutedScale != 1 ? RoutedScale : null);
        var isKnownStart = family.HasSparseStep || family.FirstDenseLayers is not null && IsStart(DenseLayers);
        Set("dense-layers", DenseLayers.Count > 0 && !isKnownStart ? ListOf(DenseLayers) : null);
        Set("dense-size", DenseLayers.Count > 0 && family.ExpertSizeKey == "intermediate_size" ? DenseSize : null);
        var isKnownShared = family.IsDense || (family.HasGatedSharedExpert ? SharedGate && SharedSize > 0
            : family.SharedExperts is not null ? !SharedGate && SharedSize % ExpertSize == 0 : SharedSize == 0);
        Set("shared-size", isKnownShared ? null : SharedSize);
        Set("shared-gate", isKnownShared || SharedSize == 0 ? null : SharedGate);
        Set("windowed-layers", family.Window == AttentionWindow.None && WindowedLayers.Count > 0 ? ListOf(WindowedLayers) : null);
        return ours;

        void Set(string key, JsonNode? value)
        {
            if (value is not null)
                ours[key] = value;
        }
    }
}
