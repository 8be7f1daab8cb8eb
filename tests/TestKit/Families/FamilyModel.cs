using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.TestKit.Families;

/// <summary>
/// A tiny checkpoint of one family: <c>config.json</c> as its own library writes it, tensors under the family's own names,
/// values by rule. Written byte by byte, without any of our readers and writers.
/// </summary>
public sealed class FamilyModel
{
    private const int H = 32, V = 260;

    private FamilyModel(JsonObject config) => Config = config;

    public JsonObject Config { get; }

    /// <summary>Shapes by name on disk.</summary>
    public Dictionary<string, long[]> Shapes { get; } = [];

    /// <summary>Names of the test cases.</summary>
    public static IReadOnlyList<string> Cases { get; } =
    [
        "llama", "llama-biased-llama3-rope", "llama-dynamic-rope", "mistral-window", "qwen2", "qwen2-window", "qwen3",
        "mixtral", "mixtral-tied", "qwen2-moe", "qwen2-moe-sparse-step", "qwen3-moe", "qwen3-moe-yarn", "olmoe", "olmoe-clip",
        "deepseek", "deepseek-normalized", "deepseek-v2-lite", "deepseek-v2-groups", "deepseek-v3", "deepseek-v3-plain-rope",
    ];

    public string Family => (string)Config["model_type"]!;

    public static FamilyModel Create(string name) => name switch
    {
        "llama" => Dense("llama", """
            {"num_key_value_heads":2,"tie_word_embeddings":true,"attention_bias":false,"mlp_bias":false,"rope_scaling":null,
            "rope_theta":10000.0}
            """),
        "llama-biased-llama3-rope" => Dense("llama", """
            {"num_key_value_heads":2,"attention_bias":true,"rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3",
            "factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64}}
            """),
        "llama-dynamic-rope" => Dense("llama", """
            {"num_key_value_heads":4,"attention_bias":false,"max_position_embeddings":8,"rope_theta":10000.0,
            "rope_scaling":{"type":"dynamic","factor":2.0}}
            """),
        "mistral-window" => Dense("mistral", """{"num_key_value_heads":2,"sliding_window":3,"rope_theta":10000.0}"""),
        "qwen2" => Dense("qwen2", """
            {"num_key_value_heads":2,"tie_word_embeddings":true,"use_sliding_window":false,"sliding_window":4096,
            "max_window_layers":28,"rope_theta":1000000.0}
            """),
        "qwen2-window" => Dense("qwen2", """
            {"num_key_value_heads":2,"use_sliding_window":true,"sliding_window":2,"max_window_layers":1,"rope_theta":1000000.0}
            """),
        "qwen3" => Dense("qwen3", """
            {"num_key_value_heads":2,"head_dim":16,"attention_bias":false,"rope_parameters":{"rope_type":"default",
            "rope_theta":1000000.0},"dtype":"float32","torch_dtype":null}
            """),
        "mixtral" => Mixtral("""{"num_key_value_heads":2,"sliding_window":null,"rope_theta":1000000.0}"""),
        "mixtral-tied" => Mixtral("""{"num_key_value_heads":4,"tie_word_embeddings":true,"router_jitter_noise":0.0,"output_router_logits":false}"""),
        "qwen2-moe" => Qwen2Moe("""{"norm_topk_prob":false,"decoder_sparse_step":1,"mlp_only_layers":[],"use_sliding_window":false}"""),
        "qwen2-moe-sparse-step" => Qwen2Moe("""{"norm_topk_prob":true,"decoder_sparse_step":2,"mlp_only_layers":[3],"num_hidden_layers":4}"""),
        "qwen3-moe" => Qwen3Moe("""{"norm_topk_prob":true,"decoder_sparse_step":1,"mlp_only_layers":[0],"rope_theta":1000000.0}"""),
        "qwen3-moe-yarn" => Qwen3Moe("""
            {"norm_topk_prob":false,"decoder_sparse_step":1,"mlp_only_layers":[],"rope_theta":10000.0,
            "rope_scaling":{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":64}}
            """),
        "olmoe" => Olmoe("""{"norm_topk_prob":false,"clip_qkv":null}"""),
        "olmoe-clip" => Olmoe("""{"norm_topk_prob":true,"clip_qkv":0.5}"""),
        "deepseek" => Deepseek("""{"norm_topk_prob":false}"""),
        "deepseek-normalized" => Deepseek("""{"norm_topk_prob":true,"moe_layer_freq":1}"""),
        "deepseek-v2-lite" => DeepseekV2("""
            {"q_lora_rank":null,"topk_method":"greedy","n_group":1,"topk_group":1,"routed_scaling_factor":1.0,
            "norm_topk_prob":false,"rope_scaling":{"type":"yarn","factor":40,"beta_fast":32,"beta_slow":1,"mscale":0.707,
            "mscale_all_dim":0.707,"original_max_position_embeddings":64}}
            """),
        "deepseek-v2-groups" => DeepseekV2("""
            {"q_lora_rank":12,"topk_method":"group_limited_greedy","n_group":4,"topk_group":2,"routed_scaling_factor":4.0,
            "norm_topk_prob":false,"rope_scaling":{"type":"yarn","factor":8,"beta_fast":16,"beta_slow":2,"mscale":1.0,
            "mscale_all_dim":0.5,"original_max_position_embeddings":32}}
            """),
        "deepseek-v3" => DeepseekV3("""
            {"n_group":4,"topk_group":2,"norm_topk_prob":true,"num_nextn_predict_layers":1,"attention_bias":true,
            "rope_scaling":{"type":"yarn","factor":40,"beta_fast":32,"beta_slow":1,"mscale":1.0,"mscale_all_dim":1.0,
            "original_max_position_embeddings":64}}
            """),
        "deepseek-v3-plain-rope" => DeepseekV3("""{"n_group":1,"topk_group":1,"norm_topk_prob":false,"num_nextn_predict_layers":0,"rope_interleave":false}"""),
        _ => throw new ArgumentException(name),
    };

    /// <summary>
    /// The values of a tensor, rounded to <paramref name="dtype"/>: norms near 1, matrices of a spread at which heads, experts
    /// and routers all matter.
    /// </summary>
    public float[] Values(string name, string dtype)
    {
        var shape = Shapes[name];
        var (count, state) = (shape.Aggregate(1L, (a, b) => a * b), name.Aggregate(2166136261u, (hash, c) => (hash ^ c) * 16777619u));
        var (centre, spread) = name.EndsWith("norm.weight", StringComparison.Ordinal) ? (1f, 0.6f)
            : name.EndsWith("bias", StringComparison.Ordinal) ? (0f, 0.4f)
            : name.Contains("embed", StringComparison.Ordinal) ? (0f, 3f)
            : (0f, 4.5f / MathF.Sqrt(shape[^1]));
        var stored = DTypeOf(name, dtype);
        var values = new float[count];
        for (var i = 0L; i < count; i++)
        {
            state = state * 1664525 + 1013904223;
            var mixed = (state ^ state >> 15) * 2246822519u;
            var uniform = ((mixed ^ mixed >> 13) >> 8) / (float)(1 << 24);
            values[i] = Round(centre + (uniform - 0.5f) * spread, stored);
        }
        return values;
    }

    /// <summary>Writes the directory.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="dtype">F32, BF16 or F16.</param>
    /// <param name="shards">Number of files.</param>
    /// <param name="stacked">All experts of a layer in one tensor.</param>
    public string Write(string folder, string dtype = "F32", int shards = 1, bool stacked = false)
    {
        Directory.CreateDirectory(folder);
        var config = Config.DeepClone().AsObject();
        config[config["dtype"] is null ? "torch_dtype" : "dtype"] = dtype switch { "BF16" => "bfloat16", "F16" => "float16", _ => "float32" };
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
        ByteTokenizerFiles.Write(folder);
        var tensors = Tensors(dtype);
        if (stacked)
            tensors = Stack(tensors);
        var names = tensors.Keys.Order(StringComparer.Ordinal).ToList();
        var map = new Dictionary<string, string>();
        for (var shard = 0; shard < shards; shard++)
        {
            var file = shards == 1 ? "model.safetensors" : $"model-{shard + 1:00000}-of-{shards:00000}.safetensors";
            var mine = names.Where((_, i) => i % shards == shard).ToDictionary(name => name, name => tensors[name]);
            WriteFile(Path.Combine(folder, file), mine);
            foreach (var name in mine.Keys)
                map[name] = file;
        }
        if (shards > 1)
        {
            var index = new { metadata = new { total_size = tensors.Values.Sum(t => t.Bytes.LongLength) }, weight_map = map };
            File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), JsonSerializer.Serialize(index));
        }
        return folder;
    }

    /// <summary>Every tensor's type, shape and bytes by its name on disk.</summary>
    public Dictionary<string, (string DType, long[] Shape, byte[] Bytes)> Tensors(string dtype) => Shapes.ToDictionary(
        entry => entry.Key,
        entry =>
        {
            var own = DTypeOf(entry.Key, dtype);
            return (own, entry.Value, Values(entry.Key, dtype).SelectMany(value => Bytes(value, own)).ToArray());
        });

    /// <summary>Reads a directory's tensors, to compare.</summary>
    public static Dictionary<string, (string DType, long[] Shape, byte[] Bytes)> Read(string folder)
    {
        var tensors = new Dictionary<string, (string, long[], byte[])>();
        foreach (var file in Directory.EnumerateFiles(folder, "*.safetensors"))
        {
            var bytes = File.ReadAllBytes(file);
            var start = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
            foreach (var (name, entry) in JsonNode.Parse(bytes.AsSpan(8, start - 8))!.AsObject().Where(e => e.Key != "__metadata__"))
            {
                var (from, to) = ((int)entry!["data_offsets"]![0]!, (int)entry["data_offsets"]![1]!);
                tensors[name] = ((string)entry["dtype"]!, [.. entry["shape"]!.AsArray().Select(e => (long)e!)], bytes[(start + from)..(start + to)]);
            }
        }
        return tensors;
    }

    /// <summary>Writes one file of tensors.</summary>
    public static void WriteFile(string path, Dictionary<string, (string DType, long[] Shape, byte[] Bytes)> tensors)
    {
        var header = new JsonObject { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        using var data = new MemoryStream();
        foreach (var (name, (dtype, shape, bytes)) in tensors)
        {
            header[name] = new JsonObject
            {
                ["dtype"] = dtype,
                ["shape"] = new JsonArray([.. shape.Select(e => (JsonNode)e)]),
                ["data_offsets"] = new JsonArray(data.Length, data.Length + bytes.Length),
            };
            data.Write(bytes);
        }
        var json = Encoding.UTF8.GetBytes(header.ToJsonString());
        using var file = File.Create(path);
        file.Write(BitConverter.GetBytes((long)json.Length));
        file.Write(json);
        data.WriteTo(file);
    }

    // The layout of newer writers: per layer gate_up_proj (E, 2F, H), gate rows first, and down_proj (E, H, F).
    private static Dictionary<string, (string DType, long[] Shape, byte[] Bytes)> Stack(Dictionary<string, (string DType, long[] Shape, byte[] Bytes)> tensors)
    {
        var result = new Dictionary<string, (string, long[], byte[])>();
        foreach (var (name, tensor) in tensors)
        {
            var parts = name.Split('.');
            var at = Array.IndexOf(parts, "experts");
            if (at < 0)
            {
                result[name.Replace("block_sparse_moe", "mlp", StringComparison.Ordinal)] = tensor;
                continue;
            }
            if (parts[at + 1] != "0" || parts[at + 2] is not ("gate_proj" or "w1"))
                continue;
            var (gate, up, down) = parts[at + 2] == "w1" ? ("w1", "w3", "w2") : ("gate_proj", "up_proj", "down_proj");
            var experts = Enumerable.Range(0, int.MaxValue).TakeWhile(e => tensors.ContainsKey(Name(e, gate))).ToList();
            var prefix = string.Join('.', parts[..(at + 1)]).Replace("block_sparse_moe", "mlp", StringComparison.Ordinal);
            var (inner, hidden) = (tensor.Shape[0], tensor.Shape[1]);
            byte[] gateUp = [.. experts.SelectMany(e => tensors[Name(e, gate)].Bytes.Concat(tensors[Name(e, up)].Bytes))];
            result[prefix + ".gate_up_proj"] = (tensor.DType, [experts.Count, 2 * inner, hidden], gateUp);
            result[prefix + ".down_proj"] = (tensor.DType, [experts.Count, hidden, inner], [.. experts.SelectMany(e => tensors[Name(e, down)].Bytes)]);

            string Name(int expert, string part) => string.Join('.', [.. parts[..(at + 1)], $"{expert}", part, "weight"]);
        }
        return result;
    }

    // The selection bias is kept in float32 whatever the weights are in.
    private static string DTypeOf(string name, string dtype) => name.EndsWith("e_score_correction_bias", StringComparison.Ordinal) ? "F32" : dtype;

    private static float Round(float value, string dtype) => dtype switch
    {
        "F16" => (float)(Half)value,
        "BF16" => RoundToBFloat16(value),
        _ => value,
    };

    private static float RoundToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFFu + (bits >> 16 & 1)) & 0xFFFF0000u);
    }

    private static byte[] Bytes(float value, string dtype) => dtype switch
    {
        "F16" => BitConverter.GetBytes((Half)value),
        "BF16" => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)),
        _ => BitConverter.GetBytes(value),
    };

    private static JsonObject Merge(string family, string architecture, string own, string common = "{}")
    {
        var config = JsonNode.Parse($$"""
            {"architectures":["{{architecture}}"],"model_type":"{{family}}","vocab_size":{{V}},"hidden_size":{{H}},
            "num_hidden_layers":3,"num_attention_heads":4,"num_key_value_heads":4,"hidden_act":"silu",
            "max_position_embeddings":256,"initializer_range":0.02,"rms_norm_eps":1e-6,"use_cache":true,
            "tie_word_embeddings":false,"bos_token_id":256,"eos_token_id":257,"torch_dtype":"float32"}
            """)!.AsObject();
        foreach (var source in (string[])[common, own])
        {
            foreach (var (key, value) in JsonNode.Parse(source)!.AsObject())
                config[key] = value?.DeepClone();
        }
        return config;
    }

    private FamilyModel Add(string name, params long[] shape)
    {
        Shapes.Add(name, shape);
        return this;
    }

    private FamilyModel Ends()
    {
        Add("model.embed_tokens.weight", V, H).Add("model.norm.weight", H);
        return (bool)Config["tie_word_embeddings"]! ? this : Add("lm_head.weight", V, H);
    }

    private int Layers => (int)Config["num_hidden_layers"]!;

    private void Norms(string layer) => Add(layer + "input_layernorm.weight", H).Add(layer + "post_attention_layernorm.weight", H);

    private void Swiglu(string prefix, long inner, string gate = "gate_proj", string up = "up_proj", string down = "down_proj") =>
        Add($"{prefix}{gate}.weight", inner, H).Add($"{prefix}{up}.weight", inner, H).Add($"{prefix}{down}.weight", H, inner);

    private void Attention(string layer, bool qkvBias = false, bool outputBias = false, string norms = "")
    {
        var (heads, shared, size) = ((long)Config["num_attention_heads"]!, (long)Config["num_key_value_heads"]!, (long?)Config["head_dim"] ?? 8);
        Add(layer + "self_attn.q_proj.weight", heads * size, H).Add(layer + "self_attn.k_proj.weight", shared * size, H);
        Add(layer + "self_attn.v_proj.weight", shared * size, H).Add(layer + "self_attn.o_proj.weight", H, heads * size);
        if (qkvBias)
        {
            Add(layer + "self_attn.q_proj.bias", heads * size);
            Add(layer + "self_attn.k_proj.bias", shared * size).Add(layer + "self_attn.v_proj.bias", shared * size);
        }
        if (outputBias)
            Add(layer + "self_attn.o_proj.bias", H);
        if (norms != "")
        {
            Add(layer + "self_attn.q_norm.weight", norms == "head" ? size : heads * size);
            Add(layer + "self_attn.k_norm.weight", norms == "head" ? size : shared * size);
        }
    }

    private static FamilyModel Dense(string family, string own)
    {
        var model = new FamilyModel(Merge(family, "Any", own, """{"intermediate_size":24}""")).Ends();
        var biased = family == "qwen2" || (bool?)model.Config["attention_bias"] == true;
        for (var i = 0; i < model.Layers; i++)
        {
            model.Norms($"model.layers.{i}.");
            model.Attention($"model.layers.{i}.", biased, biased && family == "llama", family == "qwen3" ? "head" : "");
            model.Swiglu($"model.layers.{i}.mlp.", 24);
        }
        return model;
    }

    private static FamilyModel Mixtral(string own)
    {
        var model = new FamilyModel(Merge("mixtral", "MixtralForCausalLM", own, """
            {"num_local_experts":4,"num_experts_per_tok":2,"intermediate_size":20,"rms_norm_eps":1e-5,"router_aux_loss_coef":0.02}
            """)).Ends();
        for (var i = 0; i < model.Layers; i++)
        {
            model.Norms($"model.layers.{i}.");
            model.Attention($"model.layers.{i}.");
            model.Add($"model.layers.{i}.block_sparse_moe.gate.weight", 4, H);
            for (var e = 0; e < 4; e++)
                model.Swiglu($"model.layers.{i}.block_sparse_moe.experts.{e}.", 20, "w1", "w3", "w2");
        }
        return model;
    }

    private void Experts(string layer, int experts, long inner)
    {
        Add(layer + "mlp.gate.weight", experts, H);
        for (var e = 0; e < experts; e++)
            Swiglu($"{layer}mlp.experts.{e}.", inner);
    }

    private static FamilyModel Qwen2Moe(string own)
    {
        var model = new FamilyModel(Merge("qwen2_moe", "Qwen2MoeForCausalLM", own, """
            {"num_key_value_heads":2,"num_experts":6,"num_experts_per_tok":2,"intermediate_size":28,"moe_intermediate_size":12,
            "shared_expert_intermediate_size":20}
            """)).Ends();
        for (var i = 0; i < model.Layers; i++)
        {
            var layer = $"model.layers.{i}.";
            model.Norms(layer);
            model.Attention(layer, qkvBias: true);
            if (model.Config["mlp_only_layers"]!.AsArray().Any(l => (int)l! == i) || (i + 1) % (int)model.Config["decoder_sparse_step"]! != 0)
            {
                model.Swiglu(layer + "mlp.", 28);
                continue;
            }
            model.Experts(layer, 6, 12);
            model.Swiglu(layer + "mlp.shared_expert.", 20);
            model.Add(layer + "mlp.shared_expert_gate.weight", 1, H);
        }
        return model;
    }

    private static FamilyModel Qwen3Moe(string own)
    {
        var model = new FamilyModel(Merge("qwen3_moe", "Qwen3MoeForCausalLM", own, """
            {"num_key_value_heads":2,"head_dim":16,"num_experts":8,"num_experts_per_tok":3,"intermediate_size":28,
            "moe_intermediate_size":12,"attention_bias":false}
            """)).Ends();
        for (var i = 0; i < model.Layers; i++)
        {
            var layer = $"model.layers.{i}.";
            model.Norms(layer);
            model.Attention(layer, norms: "head");
            if (model.Config["mlp_only_layers"]!.AsArray().Any(l => (int)l! == i))
                model.Swiglu(layer + "mlp.", 28);
            else
                model.Experts(layer, 8, 12);
        }
        return model;
    }

    private static FamilyModel Olmoe(string own)
    {
        var model = new FamilyModel(Merge("olmoe", "OlmoeForCausalLM", own, """
            {"num_key_value_heads":2,"num_experts":8,"num_experts_per_tok":3,"intermediate_size":16,"rms_norm_eps":1e-5,
            "attention_bias":false}
            """)).Ends();
        for (var i = 0; i < model.Layers; i++)
        {
            model.Norms($"model.layers.{i}.");
            model.Attention($"model.layers.{i}.", norms: "whole");
            model.Experts($"model.layers.{i}.", 8, 16);
        }
        return model;
    }

    private static FamilyModel Deepseek(string own)
    {
        var model = new FamilyModel(Merge("deepseek", "DeepseekForCausalLM", own, """
            {"n_routed_experts":8,"num_experts_per_tok":3,"n_shared_experts":2,"first_k_dense_replace":1,"intermediate_size":28,
            "moe_intermediate_size":12,"scoring_func":"softmax","aux_loss_alpha":0.001}
            """)).Ends();
        for (var i = 0; i < model.Layers; i++)
        {
            model.Norms($"model.layers.{i}.");
            model.Attention($"model.layers.{i}.");
            model.SharedMixture($"model.layers.{i}.", i < 1, 2);
        }
        return model;
    }

    private void SharedMixture(string layer, bool dense, int shared)
    {
        if (dense)
        {
            Swiglu(layer + "mlp.", 28);
            return;
        }
        Experts(layer, 8, 12);
        Swiglu(layer + "mlp.shared_experts.", shared * 12);
    }

    private void Latent(string layer, bool biased)
    {
        const int nH = 4, dn = 8, dr = 4, dv = 10, rkv = 14;
        if ((int?)Config["q_lora_rank"] is { } rank)
        {
            Add(layer + "self_attn.q_a_proj.weight", rank, H).Add(layer + "self_attn.q_a_layernorm.weight", rank);
            Add(layer + "self_attn.q_b_proj.weight", nH * (dn + dr), rank);
            if (biased)
                Add(layer + "self_attn.q_a_proj.bias", rank);
        }
        else
            Add(layer + "self_attn.q_proj.weight", nH * (dn + dr), H);
        Add(layer + "self_attn.kv_a_proj_with_mqa.weight", rkv + dr, H).Add(layer + "self_attn.kv_a_layernorm.weight", rkv);
        Add(layer + "self_attn.kv_b_proj.weight", nH * (dn + dv), rkv).Add(layer + "self_attn.o_proj.weight", H, nH * dv);
        if (biased)
            Add(layer + "self_attn.kv_a_proj_with_mqa.bias", rkv + dr).Add(layer + "self_attn.o_proj.bias", H);
    }

    private const string LatentSizes = """
        {"n_routed_experts":8,"num_experts_per_tok":3,"intermediate_size":28,"moe_intermediate_size":12,"kv_lora_rank":14,
        "qk_nope_head_dim":8,"qk_rope_head_dim":4,"v_head_dim":10,"rope_theta":10000.0,"first_k_dense_replace":1,
        "moe_layer_freq":1,
        """;

    private static FamilyModel DeepseekV2(string own)
    {
        var model = new FamilyModel(Merge("deepseek_v2", "DeepseekV2ForCausalLM", own, LatentSizes + """
            "n_shared_experts":2,"scoring_func":"softmax"}
            """)).Ends();
        for (var i = 0; i < model.Layers; i++)
        {
            model.Norms($"model.layers.{i}.");
            model.Latent($"model.layers.{i}.", biased: false);
            model.SharedMixture($"model.layers.{i}.", i < 1, 2);
        }
        return model;
    }

    private static FamilyModel DeepseekV3(string own)
    {
        var model = new FamilyModel(Merge("deepseek_v3", "DeepseekV3ForCausalLM", own, LatentSizes + """
            "head_dim":4,"q_lora_rank":12,"n_shared_experts":1,"routed_scaling_factor":2.5,"scoring_func":"sigmoid",
            "topk_method":"noaux_tc"}
            """)).Ends();
        for (var i = 0; i < model.Layers; i++)
        {
            model.Norms($"model.layers.{i}.");
            model.Latent($"model.layers.{i}.", (bool?)model.Config["attention_bias"] == true);
            model.SharedMixture($"model.layers.{i}.", i < 1, 1);
            if (i >= 1)
                model.Add($"model.layers.{i}.mlp.gate.e_score_correction_bias", 8);
        }
        if ((int)model.Config["num_nextn_predict_layers"]! == 1)
            model.Add("model.layers.3.eh_proj.weight", H, 2 * H).Add("model.layers.3.enorm.weight", H); // as released: a module that is not run
        return model;
    }
}
