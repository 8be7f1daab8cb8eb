using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Espalier.TestKit.Families;

namespace Espalier.Cli.Tests;

/// <summary>Writes a small OLMoE directory byte by byte, by rule, without any of our own writers.</summary>
internal static class TinyModel
{
    private const int Heads = 2, Layers = 2, Experts = 4, Vocabulary = 260;

    public static string Write(string folder, int hidden = 16, int width = 8)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["architectures"] = new[] { "OlmoeForCausalLM" }, ["model_type"] = "olmoe", ["hidden_size"] = hidden, ["intermediate_size"] = width,
            ["num_hidden_layers"] = Layers, ["num_attention_heads"] = Heads, ["num_key_value_heads"] = Heads, ["num_experts"] = Experts,
            ["num_experts_per_tok"] = 2, ["norm_topk_prob"] = false, ["vocab_size"] = Vocabulary, ["max_position_embeddings"] = 256,
            ["rope_theta"] = 10000.0, ["rms_norm_eps"] = 1e-5, ["tie_word_embeddings"] = false, ["hidden_act"] = "silu", ["torch_dtype"] = "float32",
        }));
        ByteTokenizerFiles.Write(folder);
        var header = new SortedDictionary<string, object>(StringComparer.Ordinal);
        var data = new MemoryStream();
        foreach (var (name, shape) in Tensors(hidden, width))
        {
            var start = data.Length;
            var count = shape.Aggregate(1, (a, b) => a * b);
            var isNorm = name.Contains("norm", StringComparison.Ordinal);
            var bytes = new byte[4 * count];
            var state = (uint)name.Aggregate(17, (hash, c) => (hash * 31) + c);
            for (var i = 0; i < count; i++)
            {
                state = (state * 1664525) + 1013904223;
                BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(4 * i), isNorm ? 1 : ((state >> 8) / (float)(1 << 24) - 0.5f) * 0.2f);
            }
            data.Write(bytes);
            header[name] = new { dtype = "F32", shape, data_offsets = new[] { start, data.Length } };
        }
        var json = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(header));
        using var file = File.Create(Path.Combine(folder, "model.safetensors"));
        var length = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)json.Length);
        file.Write(length);
        file.Write(json);
        data.WriteTo(file);
        return folder;
    }

    private static IEnumerable<(string Name, int[] Shape)> Tensors(int hidden, int width)
    {
        yield return ("lm_head.weight", [Vocabulary, hidden]);
        yield return ("model.embed_tokens.weight", [Vocabulary, hidden]);
        for (var layer = 0; layer < Layers; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            yield return (prefix + "input_layernorm.weight", [hidden]);
            yield return (prefix + "post_attention_layernorm.weight", [hidden]);
            foreach (var matrix in new[] { "q", "k", "v", "o" })
                yield return ($"{prefix}self_attn.{matrix}_proj.weight", [hidden, hidden]);
            yield return (prefix + "self_attn.q_norm.weight", [hidden]);
            yield return (prefix + "self_attn.k_norm.weight", [hidden]);
            yield return (prefix + "mlp.gate.weight", [Experts, hidden]);
            for (var expert = 0; expert < Experts; expert++)
            {
                yield return ($"{prefix}mlp.experts.{expert}.gate_proj.weight", [width, hidden]);
                yield return ($"{prefix}mlp.experts.{expert}.up_proj.weight", [width, hidden]);
                yield return ($"{prefix}mlp.experts.{expert}.down_proj.weight", [hidden, width]);
            }
        }
        yield return ("model.norm.weight", [hidden]);
    }
}
