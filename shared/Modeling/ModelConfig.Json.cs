using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Modeling;

/// <summary>Reading and writing <c>config.json</c>.</summary>
public sealed partial record ModelConfig
{
    private const int MaximumBytes = 4 << 20;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads and checks a <c>config.json</c>.</summary>
    /// <exception cref="InvalidModelException">Every key that is missing, misspelt, out of range or not supported, one per line.</exception>
    public static ModelConfig Parse(ReadOnlySpan<byte> configJson)
    {
        var root = ParseObject(configJson);
        var keys = new ConfigKeys(root);
        var family = keys.Text("model_type", null);
        if (family is not (null or "olmoe"))
            keys.Problem("model_type", $"is '{family}', which is not supported; supported: olmoe");
        if (keys.Text("hidden_act", "silu") is { } activation and not "silu")
            keys.Problem("hidden_act", $"is '{activation}'; supported: silu");
        if (keys.Flag("attention_bias", false))
            keys.Problem("attention_bias", "is true; attention biases are not supported for this family");

        var hidden = keys.Count("hidden_size", 1, 1 << 20);
        var heads = keys.Count("num_attention_heads", 1, 1 << 14);
        var headSize = keys.Has("head_dim") ? keys.Count("head_dim", 2, 1 << 14) : hidden / Math.Max(heads, 1);
        if (!keys.Has("head_dim") && heads > 0 && hidden % heads != 0)
            keys.Problem("num_attention_heads", $"is {heads}, which does not divide hidden_size {hidden}; set head_dim");
        if (headSize % 2 != 0)
            keys.Problem("head_dim", $"is {headSize}; rotary embedding needs an even width per head");
        var keyValueHeads = keys.Has("num_key_value_heads") ? keys.Count("num_key_value_heads", 1, 1 << 14) : heads;
        if (keyValueHeads > 0 && heads % keyValueHeads != 0)
            keys.Problem("num_key_value_heads", $"is {keyValueHeads}, which does not divide num_attention_heads {heads}");

        var layers = keys.Count("num_hidden_layers", 1, 4096);
        var experts = keys.FirstCount(["num_experts", "num_local_experts", "n_routed_experts"], 1, 1 << 16);
        var perToken = keys.Count("num_experts_per_tok", 1, 1 << 16);
        if (experts > 0 && perToken > experts)
            keys.Problem("num_experts_per_tok", $"is {perToken}, more than the {experts} experts");

        var platform = keys.Child("espalier");
        var groups = platform?.IntegerTable("sibling-groups", layers, experts);
        var exclusive = (platform?.Choice("routing", ["free", "sibling-exclusive"]) ?? 0) == 1;
        if (exclusive && groups is null)
            keys.Problem("espalier.routing", "is 'sibling-exclusive', which needs espalier.sibling-groups");
        if (exclusive && groups is not null && groups.Any(layer => layer.Distinct().Count() < perToken))
            keys.Problem("espalier.sibling-groups", $"has a layer with fewer groups than num_experts_per_tok {perToken}");

        var config = new ModelConfig
        {
            Family = family ?? "olmoe",
            VocabularySize = keys.Count("vocab_size", 1, 1 << 24),
            HiddenSize = hidden,
            Layers = layers,
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadSize = headSize,
            Experts = experts,
            ExpertsPerToken = perToken,
            ExpertSize = keys.Count("intermediate_size", 1, 1 << 20),
            RopeTheta = keys.RopeTheta(10_000),
            NormEpsilon = keys.Number("rms_norm_eps", 1e-5, 0, 1),
            TieEmbeddings = keys.Flag("tie_word_embeddings", false),
            NormalizeTopK = keys.Flag("norm_topk_prob", false),
            ScoreFunction = (platform?.Choice("score-function", ["softmax", "sigmoid"]) ?? 0) == 1 ? ScoreFunction.Sigmoid : ScoreFunction.Softmax,
            ClipQkv = keys.Has("clip_qkv") ? keys.Number("clip_qkv", 0, double.Epsilon, 1e9) : null,
            MaxPositions = keys.Has("max_position_embeddings") ? keys.Count("max_position_embeddings", 1, 1 << 26) : 4096,
            InitializerRange = keys.Number("initializer_range", 0.02, 0, 10),
            BalanceCoefficient = keys.Number("router_aux_loss_coef", 0.01, 0, 1e6),
            EosTokenId = keys.FirstOf("eos_token_id"),
            WeightType = keys.WeightType(),
            Quantization = keys.Quantization(),
            SiblingGroups = groups,
            SiblingExclusive = exclusive,
            TargetExpertsPerToken = platform is not null && platform.Has("target-experts-per-token") ? platform.Count("target-experts-per-token", 1, 1 << 16) : null,
            Source = root,
        };
        keys.ThrowIfAny();
        return config;
    }

    /// <summary>Writes <c>config.json</c>: the keys that were read, changed where this record differs, then our own; UTF-8, indented.</summary>
    public byte[] ToJson()
    {
        var root = Source?.DeepClone().AsObject() ?? new JsonObject
        {
            ["architectures"] = new JsonArray("OlmoeForCausalLM"),
            ["attention_bias"] = false,
            ["attention_dropout"] = 0.0,
            ["hidden_act"] = "silu",
            ["use_cache"] = true,
        };
        root["model_type"] = Family;
        root["vocab_size"] = VocabularySize;
        root["hidden_size"] = HiddenSize;
        root["num_hidden_layers"] = Layers;
        root["num_attention_heads"] = Heads;
        root["num_key_value_heads"] = KeyValueHeads;
        if (root.ContainsKey("head_dim") || HeadSize * Heads != HiddenSize)
            root["head_dim"] = HeadSize;
        root.Remove("num_local_experts");
        root.Remove("n_routed_experts");
        root["num_experts"] = Experts;
        root["num_experts_per_tok"] = ExpertsPerToken;
        root["intermediate_size"] = ExpertSize;
        root["norm_topk_prob"] = NormalizeTopK;
        root["clip_qkv"] = ClipQkv;
        root["rms_norm_eps"] = NormEpsilon;
        root["tie_word_embeddings"] = TieEmbeddings;
        root["max_position_embeddings"] = MaxPositions;
        root["initializer_range"] = InitializerRange;
        root["router_aux_loss_coef"] = BalanceCoefficient;
        if (EosTokenId is not null && root["eos_token_id"] is not JsonArray)
            root["eos_token_id"] = EosTokenId;
        root[root.ContainsKey("dtype") ? "dtype" : "torch_dtype"] = WeightType;
        if (root["rope_parameters"] is JsonObject rope)
            rope["rope_theta"] = RopeTheta;
        else
            root["rope_theta"] = RopeTheta;
        if (Quantization is null)
            root.Remove("quantization_config");
        else if (root["quantization_config"] is null)
            root["quantization_config"] = QuantizationEntry(Quantization);
        WritePlatformKeys(root);
        return JsonSerializer.SerializeToUtf8Bytes(root, Indented);
    }

    private void WritePlatformKeys(JsonObject root)
    {
        var platform = root["espalier"] as JsonObject ?? [];
        Set("sibling-groups", SiblingGroups is null ? null : new JsonArray([.. SiblingGroups.Select(g => new JsonArray([.. g.Select(e => (JsonNode)e)]))]));
        Set("routing", SiblingExclusive ? "sibling-exclusive" : null);
        Set("score-function", ScoreFunction == ScoreFunction.Sigmoid ? "sigmoid" : null);
        Set("target-experts-per-token", TargetExpertsPerToken);
        if (platform.Count == 0)
            root.Remove("espalier");
        else if (platform.Parent is null)
            root["espalier"] = platform;

        void Set(string key, JsonNode? value)
        {
            platform.Remove(key);
            if (value is not null)
                platform[key] = value;
        }
    }

    private static JsonObject QuantizationEntry(WeightQuantization quantization) => new()
    {
        ["quant_method"] = "compressed-tensors",
        ["format"] = "pack-quantized",
        ["quantization_status"] = "compressed",
        ["global_compression_ratio"] = null,
        ["kv_cache_scheme"] = null,
        ["ignore"] = new JsonArray("lm_head", "re:.*mlp.gate$"),
        ["config_groups"] = new JsonObject
        {
            ["group_0"] = new JsonObject
            {
                ["targets"] = new JsonArray("Linear"),
                ["input_activations"] = null,
                ["output_activations"] = null,
                ["weights"] = new JsonObject
                {
                    ["num_bits"] = quantization.Bits,
                    ["type"] = "int",
                    ["symmetric"] = quantization.Symmetric,
                    ["strategy"] = quantization.GroupSize < 0 ? "channel" : "group",
                    ["group_size"] = quantization.GroupSize < 0 ? null : quantization.GroupSize,
                    ["dynamic"] = false,
                    ["actorder"] = null,
                    ["observer"] = "minmax",
                    ["observer_kwargs"] = new JsonObject(),
                    ["block_structure"] = null,
                },
            },
        },
    };

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
