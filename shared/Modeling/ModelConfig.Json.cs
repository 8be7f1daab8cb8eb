using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Modeling;

/// <summary>Reading <c>config.json</c>.</summary>
public sealed partial record ModelConfig
{
    private const int MaximumBytes = 4 << 20;

    /// <summary>Reads and checks a <c>config.json</c>.</summary>
    /// <exception cref="InvalidModelException">Every key that is missing, misspelt, out of range or not supported, one per line.</exception>
    public static ModelConfig Parse(ReadOnlySpan<byte> configJson)
    {
        var root = ParseObject(configJson);
        var problems = new List<string>();
        var name = new ConfigKeys(root, problems: problems).Text("model_type", null) ?? ModelFamily.Default;
        if (ModelFamily.Find(name) is not { } family)
        {
            problems.Add($"config.json: 'model_type' is '{name}', which is not supported; supported: "
                + $"{string.Join(", ", ModelFamily.All.Select(f => f.Name))}.");
            family = ModelFamily.Of(ModelFamily.Default);
        }
        root = KeySpelling.ToCommon(root, family);
        var keys = new ConfigKeys(root, problems: problems, family: family);
        if (keys.Text("hidden_act", "silu") is { } activation and not "silu")
            keys.Problem("hidden_act", $"is '{activation}'; supported: silu");
        if (keys.Flag("mlp_bias", false))
            keys.Problem("mlp_bias", "is true; MLPs with biases are not supported");
        if (keys.Number("partial_rotary_factor", 1, 0, 1) != 1)
            keys.Problem("partial_rotary_factor", "is not 1; heads that are rotated in part are not supported");

        var platform = keys.Child("espalier");
        var layers = keys.Count("num_hidden_layers", 1, 4096);
        var positions = keys.Has("max_position_embeddings") ? keys.Count("max_position_embeddings", 1, 1 << 26) : 4096;
        var (theta, scaling) = keys.Rope(family.RopeTheta, positions);
        var config = new ModelConfig
        {
            Family = family.Name,
            VocabularySize = keys.Count("vocab_size", 1, 1 << 24),
            HiddenSize = keys.Count("hidden_size", 1, 1 << 20),
            Layers = layers,
            Heads = 0,
            KeyValueHeads = 0,
            HeadSize = 0,
            Experts = 0,
            ExpertsPerToken = 0,
            ExpertSize = 0,
            RopeTheta = theta,
            RopeScaling = scaling,
            NormEpsilon = keys.Number("rms_norm_eps", family.NormEpsilon, 0, 1),
            TieEmbeddings = keys.Flag("tie_word_embeddings", false),
            ClipQkv = keys.Has("clip_qkv") ? keys.Number("clip_qkv", 0, double.Epsilon, 1e9) : null,
            MaxPositions = positions,
            InitializerRange = keys.Number("initializer_range", 0.02, 0, 10),
            BalanceCoefficient = keys.Number("router_aux_loss_coef", family.BalanceCoefficient, 0, 1e6),
            EosTokenId = keys.FirstOf("eos_token_id"),
            WeightType = keys.WeightType(),
            Quantization = keys.Quantization(),
            Source = root,
        };
        config = ReadAttention(config, family, keys, platform);
        config = family.IsDense ? config with { DenseSize = keys.Count("intermediate_size", 1, 1 << 20) } : ReadExperts(config, family, keys, platform);
        keys.ThrowIfAny();
        return config;
    }

    private static ModelConfig ReadAttention(ModelConfig config, ModelFamily family, ConfigKeys keys, ConfigKeys? platform)
    {
        var heads = keys.Count("num_attention_heads", 1, 1 << 14);
        var keyValueHeads = keys.Has("num_key_value_heads") ? keys.Count("num_key_value_heads", 1, 1 << 14) : heads;
        if (keyValueHeads > 0 && heads % keyValueHeads != 0)
            keys.Problem("num_key_value_heads", $"is {keyValueHeads}, which does not divide num_attention_heads {heads}");
        var bias = family.BiasKey is { } key ? keys.Flag(key, family.HasBias) : family.HasBias;
        config = config with
        {
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            QueryKeyValueBias = platform?.Flag("query-key-value-bias", bias) ?? bias,
            OutputBias = platform?.Flag("output-bias", bias && family.BiasReachesOutput) ?? (bias && family.BiasReachesOutput),
            QueryKeyNorm = platform is not null && platform.Has("query-key-norm")
                ? (QueryKeyNorm)platform.Choice("query-key-norm", QueryKeyNorms) : family.QueryKeyNorm,
        };
        if (family.IsLatent)
            return ReadLatent(config, family, keys);

        var headSize = keys.Has("head_dim") ? keys.Count("head_dim", 2, 1 << 14) : family.HeadSize ?? config.HiddenSize / Math.Max(heads, 1);
        if (!keys.Has("head_dim") && family.HeadSize is null && heads > 0 && config.HiddenSize % heads != 0)
            keys.Problem("num_attention_heads", $"is {heads}, which does not divide hidden_size {config.HiddenSize}; set head_dim");
        if (headSize % 2 != 0)
            keys.Problem("head_dim", $"is {headSize}; rotary embedding needs an even width per head");
        return ReadWindow(config with { HeadSize = headSize }, family, keys, platform);
    }

    private static ModelConfig ReadLatent(ModelConfig config, ModelFamily family, ConfigKeys keys)
    {
        if (config.KeyValueHeads != config.Heads)
            keys.Problem("num_key_value_heads", $"is {config.KeyValueHeads}; latent attention has as many as num_attention_heads, {config.Heads}");
        var latent = new LatentAttention(
            keys.Has("q_lora_rank") ? keys.Count("q_lora_rank", 1, 1 << 20) : null, keys.Count("kv_lora_rank", 1, 1 << 20),
            keys.Count("qk_nope_head_dim", 1, 1 << 14),
            keys.Count("qk_rope_head_dim", 2, 1 << 14), keys.Count("v_head_dim", 1, 1 << 14), !family.HasInterleaveKey || keys.Flag("rope_interleave", true));
        if (latent.RotarySize % 2 != 0)
            keys.Problem("qk_rope_head_dim", $"is {latent.RotarySize}; rotary embedding needs an even width per head");
        return config with { Latent = latent, HeadSize = latent.PlainSize + latent.RotarySize };
    }

    private static ModelConfig ReadWindow(ModelConfig config, ModelFamily family, ConfigKeys keys, ConfigKeys? platform)
    {
        if (platform is not null && platform.Has("windowed-layers"))
            return config with
            {
                SlidingWindow = keys.Count("sliding_window", 1, 1 << 26),
                WindowedLayers = platform.Integers("windowed-layers", config.Layers),
            };
        var isFlagged = family.Window == AttentionWindow.Flagged;
        if (family.Window == AttentionWindow.None || !keys.Has("sliding_window") || isFlagged && !keys.Flag("use_sliding_window", false))
            return config;
        var window = keys.Count("sliding_window", 1, 1 << 26);
        var layers = Enumerable.Range(0, config.Layers).ToList();
        if (keys.Texts("layer_types") is { } types)
        {
            if (types.Count != config.Layers || types.Any(type => type is not ("full_attention" or "sliding_attention")))
                keys.Problem("layer_types", $"must say full_attention or sliding_attention for each of the {config.Layers} layers");
            else
                layers.RemoveAll(layer => types[layer] == "full_attention");
        }
        else if (family.FirstWindowedLayer is { } first)
            layers.RemoveRange(0, Math.Min(config.Layers, keys.Has("max_window_layers") ? keys.Count("max_window_layers", 0, 1 << 16) : first));
        else if (isFlagged)
            keys.Problem("use_sliding_window",
                "is true without layer_types, which would say which layers; readers of this family disagree. "
                + "Add layer_types, or set use_sliding_window to false");
        return config with { SlidingWindow = window, WindowedLayers = layers };
    }

    private static ModelConfig ReadExperts(ModelConfig config, ModelFamily family, ConfigKeys keys, ConfigKeys? platform)
    {
        string[] names = [family.ExpertsKey!, .. ExpertsKeys.Except([family.ExpertsKey!])];
        var experts = keys.FirstCount(names, 1, 1 << 16);
        var perToken = keys.Count("num_experts_per_tok", 1, 1 << 16);
        if (experts > 0 && perToken > experts)
            keys.Problem("num_experts_per_tok", $"is {perToken}, more than the {experts} experts");
        config = ReadGroups(config with { Experts = experts, ExpertsPerToken = perToken }, family, keys);

        var normalizes = family.HasNormalizeKey ? keys.Flag("norm_topk_prob", family.NormalizesTopK)
            : platform?.Flag("norm-topk-prob", family.NormalizesTopK) ?? family.NormalizesTopK;
        if (perToken == 1 && family.KeepsSingleGate)
            normalizes = false;
        var scale = family.RoutedScale is { } known ? keys.Number("routed_scaling_factor", known, 0, 1e6) : platform?.Number("routed-scale", 1, 0, 1e6) ?? 1;
        if (family.ScalesUnlessNormalized && normalizes)
            scale = 1;
        var score = platform is not null && platform.Has("score-function") ? (ScoreFunction)platform.Choice("score-function", ScoreFunctions)
            : keys.Has("scoring_func") ? (ScoreFunction)keys.Choice("scoring_func", ScoreFunctions) : family.ScoreFunction;
        config = ReadDenseLayers(config with
        {
            NormalizeTopK = normalizes,
            ScoreFunction = score,
            RoutedScale = scale,
            TernaryExperts = platform?.Flag("ternary-experts", false) ?? false,
            ExpertSize = keys.Count(family.ExpertSizeKey, 1, 1 << 20),
            TargetExpertsPerToken = platform is not null && platform.Has("target-experts-per-token")
                ? platform.Count("target-experts-per-token", 1, 1 << 16) : null,
        }, family, keys, platform);
        config = ReadCounts(ReadShared(config, family, keys, platform), platform);

        var groups = platform?.IntegerTable("sibling-groups", config.Layers, experts, config.IsSparse);
        var exclusive = (platform?.Choice("routing", ["free", "sibling-exclusive"]) ?? 0) == 1;
        if (exclusive && groups is null)
            keys.Problem("espalier.routing", "is 'sibling-exclusive', which needs espalier.sibling-groups");
        if (exclusive && groups is not null && groups.Any(layer => layer.Count > 0 && layer.Distinct().Count() < perToken))
            keys.Problem("espalier.sibling-groups", $"has a layer with fewer groups than num_experts_per_tok {perToken}");
        if (exclusive && config.ExpertGroups > 1)
            keys.Problem("espalier.routing", "is 'sibling-exclusive', which does not go with n_group above 1");
        if (exclusive && config.TopP is not null)
            keys.Problem("espalier.top-p", "is given, which does not go with espalier.routing 'sibling-exclusive'");
        return config with
        {
            SiblingGroups = groups,
            SiblingExclusive = exclusive,
            Router = platform is not null && platform.Has("router") ? (RouterKind)platform.Choice("router", RouterKinds) : RouterKind.Learned,
        };
    }

    // How many experts tokens choose, where that is not always the same number.
    private static ModelConfig ReadCounts(ModelConfig config, ConfigKeys? platform)
    {
        if (platform is not null && platform.Has("top-p") && config.ScoreFunction == ScoreFunction.Sigmoid)
            platform.Problem("top-p", "adds up probabilities, which sigmoid scores are not");
        var elastic = platform?.Child("elastic");
        return config with
        {
            TopP = platform is not null && platform.Has("top-p") ? platform.Number("top-p", 0, 0, 1) : null,
            Elastic = elastic is null ? null : new ElasticExperts(elastic.Count("least", 1, 1 << 16), elastic.Count("most", 1, 1 << 16)),
        };
    }

    // Groups of neighbouring experts (DeepSeek-V2 and V3).
    private static ModelConfig ReadGroups(ModelConfig config, ModelFamily family, ConfigKeys keys)
    {
        if (family.ExpertGroups is null)
            return config;
        var method = keys.Text("topk_method", null);
        if (method is not (null or "greedy" or "group_limited_greedy" or "noaux_tc"))
            keys.Problem("topk_method", $"is '{method}'; supported: greedy, group_limited_greedy, noaux_tc");
        var isGrouped = family.AlwaysGrouped || method == "group_limited_greedy";
        var groups = isGrouped && keys.Has("n_group") ? keys.Count("n_group", 1, 1 << 16) : isGrouped ? family.ExpertGroups.Value : 1;
        var chosen = isGrouped && keys.Has("topk_group") ? keys.Count("topk_group", 1, 1 << 16) : isGrouped ? family.ChosenGroups!.Value : 1;
        if (groups < 2)
            return config;
        if (config.Experts % groups != 0)
            keys.Problem("n_group", $"is {groups}, which does not divide the {config.Experts} experts");
        else if (chosen > groups)
            keys.Problem("topk_group", $"is {chosen}, more than the {groups} groups of n_group");
        else if (config.ExpertsPerToken > config.Experts / groups * chosen)
            keys.Problem("num_experts_per_tok",
                $"is {config.ExpertsPerToken}, more than the {config.Experts / groups * chosen} experts of topk_group {chosen} groups");
        else if (config.Experts / groups < family.GroupScoreMembers)
            keys.Problem("n_group", $"is {groups}, which leaves {config.Experts / groups} in a group; "
                + $"a group's score is the sum of its best {family.GroupScoreMembers}");
        return config with { ExpertGroups = groups, ChosenGroups = chosen, GroupScoreMembers = family.GroupScoreMembers };
    }

    private static ModelConfig ReadDenseLayers(ModelConfig config, ModelFamily family, ConfigKeys keys, ConfigKeys? platform)
    {
        List<int> dense = [];
        if (platform is not null && platform.Has("dense-layers"))
            dense = platform.Integers("dense-layers", config.Layers);
        else if (family.HasSparseStep)
        {
            var step = keys.Has("decoder_sparse_step") ? keys.Count("decoder_sparse_step", 1, 1 << 16) : 1;
            var only = keys.Has("mlp_only_layers") ? keys.Integers("mlp_only_layers", int.MaxValue) : [];
            dense = [.. Enumerable.Range(0, config.Layers).Where(layer => only.Contains(layer) || (layer + 1) % Math.Max(step, 1) != 0)];
        }
        else if (family.FirstDenseLayers is { } known)
        {
            var first = keys.Has("first_k_dense_replace") ? keys.Count("first_k_dense_replace", 0, 1 << 16) : known;
            var frequency = family.HasLayerFrequency && keys.Has("moe_layer_freq") ? keys.Count("moe_layer_freq", 1, 1 << 16) : 1;
            dense = [.. Enumerable.Range(0, config.Layers).Where(layer => layer < first || layer % Math.Max(frequency, 1) != 0)];
        }
        if (dense.Count == config.Layers)
            keys.Problem("num_hidden_layers",
                $"is {config.Layers}, and all of them are dense: no layer is left for experts. Lower first_k_dense_replace, decoder_sparse_step or "
                + "mlp_only_layers, or use the dense family");
        var size = dense.Count == 0 ? 0
            : family.ExpertSizeKey == "intermediate_size" ? platform?.Count("dense-size", 1, 1 << 20) ?? 0 : keys.Count("intermediate_size", 1, 1 << 20);
        var extra = family.HasPredictionLayers && keys.Has("num_nextn_predict_layers") ? keys.Count("num_nextn_predict_layers", 0, 64) : 0;
        return config with { DenseLayers = dense, DenseSize = size, ExtraLayers = extra };
    }

    private static ModelConfig ReadShared(ModelConfig config, ModelFamily family, ConfigKeys keys, ConfigKeys? platform)
    {
        if (platform is not null && platform.Has("shared-size"))
            return config with { SharedSize = platform.Count("shared-size", 0, 1 << 24),
                SharedGate = platform.Flag("shared-gate", family.HasGatedSharedExpert) };
        if (family.HasGatedSharedExpert)
            return config with { SharedSize = keys.Count("shared_expert_intermediate_size", 1, 1 << 24), SharedGate = true };
        if (family.SharedExperts is not { } known)
            return config;
        var shared = keys.Has("n_shared_experts") ? keys.Count("n_shared_experts", 0, 1 << 10) : keys.IsNull("n_shared_experts") ? 0 : known;
        return config with { SharedSize = shared * config.ExpertSize };
    }

    private static JsonObject ParseObject(ReadOnlySpan<byte> json)
    {
        if (json.Length > MaximumBytes)
            throw new InvalidModelException($"config.json has {json.Length} bytes; at most {MaximumBytes} are accepted.");
        if (json.StartsWith("\uFEFF"u8))
            json = json[3..];
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 32 });
            if (JsonNode.Parse(ref reader) is JsonObject root)
            {
                _ = root.Count; // builds the dictionary, which is where a repeated key shows
                return root;
            }
            throw new InvalidModelException("config.json must hold one JSON object.");
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new InvalidModelException($"config.json is not valid JSON: {e.Message}", e);
        }
    }
}
