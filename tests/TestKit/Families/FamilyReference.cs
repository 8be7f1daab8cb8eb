using System.Numerics;
using System.Text.Json.Nodes;

namespace Espalier.TestKit.Families;

/// <summary>
/// The families' decoders written a second time from their published formulas: one token after the other, loops over
/// plain arrays, float64, config.json's own keys, tensors by their names on disk. Shares no code with the platform.
/// </summary>
public sealed class FamilyReference(JsonObject config, IReadOnlyDictionary<string, double[]> weights)
{
    private readonly string _family = (string)config["model_type"]!;
    private readonly double _epsilon = (double)config["rms_norm_eps"]!;

    /// <summary>Per MoE layer, the experts of every position, best first.</summary>
    public SortedDictionary<int, List<int[]>> Experts { get; } = [];

    public static FamilyReference Of(FamilyModel model, string dtype) =>
        new(model.Config, model.Shapes.Keys.ToDictionary(name => name, name => model.Values(name, dtype).Select(v => (double)v).ToArray()));

    /// <summary>Logits by position of one sequence.</summary>
    public double[][] Forward(int[] tokens)
    {
        var width = Int("hidden_size");
        var embedding = weights["model.embed_tokens.weight"];
        var hidden = tokens.Select(t => embedding[(t * width)..((t + 1) * width)]).ToArray();
        for (var layer = 0; layer < Int("num_hidden_layers"); layer++)
        {
            var prefix = $"model.layers.{layer}.";
            var normed = hidden.Select(h => Norm(h, weights[prefix + "input_layernorm.weight"], _epsilon)).ToArray();
            var attended = config["kv_lora_rank"] is null ? Attention(layer, normed) : LatentAttention(prefix, normed);
            for (var i = 0; i < hidden.Length; i++)
            {
                hidden[i] = Sum(hidden[i], attended[i]);
                hidden[i] = Sum(hidden[i], FeedForward(layer, Norm(hidden[i], weights[prefix + "post_attention_layernorm.weight"], _epsilon)));
            }
        }
        var head = weights.GetValueOrDefault("lm_head.weight") ?? embedding;
        return [.. hidden.Select(h => Times(head, Norm(h, weights["model.norm.weight"], _epsilon)))];
    }

    private double[][] Attention(int layer, double[][] x)
    {
        var a = $"model.layers.{layer}.self_attn.";
        var (heads, shared) = (Int("num_attention_heads"), Int("num_key_value_heads"));
        var size = (int?)config["head_dim"] ?? Int("hidden_size") / heads;
        var q = x.Select(v => Project(a + "q_proj", v)).ToArray();
        var k = x.Select(v => Project(a + "k_proj", v)).ToArray();
        var values = x.Select(v => Project(a + "v_proj", v)).ToArray();
        if (_family == "olmoe")
        {
            q = [.. q.Select(v => Norm(v, weights[a + "q_norm.weight"], _epsilon))];
            k = [.. k.Select(v => Norm(v, weights[a + "k_norm.weight"], _epsilon))];
            if ((double?)config["clip_qkv"] is { } clip)
                (q, k, values) = (Clip(q, clip), Clip(k, clip), Clip(values, clip));
        }
        var scale = 1 / Math.Sqrt(size);
        var frequencies = Frequencies(size, x.Length, out var magnitude);
        var output = new double[x.Length][];
        var window = Window(layer);
        var contexts = x.Select(_ => new double[heads * size]).ToArray();
        for (var h = 0; h < heads; h++)
        {
            var g = h / (heads / shared);
            var queries = q.Select((v, p) => Rotate(HeadNorm(v[(h * size)..((h + 1) * size)], a + "q_norm.weight"), p, frequencies, magnitude)).ToArray();
            var keys = k.Select((v, p) => Rotate(HeadNorm(v[(g * size)..((g + 1) * size)], a + "k_norm.weight"), p, frequencies, magnitude)).ToArray();
            for (var i = 0; i < x.Length; i++)
                Attend(queries[i], keys, [.. values.Select(v => v[(g * size)..((g + 1) * size)])], i, window, scale).CopyTo(contexts[i], h * size);
        }
        for (var i = 0; i < x.Length; i++)
            output[i] = Project(a + "o_proj", contexts[i]);
        return output;

        double[] HeadNorm(double[] v, string name) => _family is "qwen3" or "qwen3_moe" ? Norm(v, weights[name], _epsilon) : v;
    }

    // DeepSeek-V2 and V3: rotary pairs lie side by side unless the configuration says otherwise.
    private double[][] LatentAttention(string layer, double[][] x)
    {
        var a = layer + "self_attn.";
        var (heads, dn, dr, dv, rank) = (Int("num_attention_heads"), Int("qk_nope_head_dim"), Int("qk_rope_head_dim"), Int("v_head_dim"), Int("kv_lora_rank"));
        var q = x.Select(v => config["q_lora_rank"] is null
            ? Project(a + "q_proj", v)
            : Project(a + "q_b_proj", Norm(Project(a + "q_a_proj", v), weights[a + "q_a_layernorm.weight"], 1e-6))).ToArray();
        var compressed = x.Select(v => Project(a + "kv_a_proj_with_mqa", v)).ToArray();
        var kv = compressed.Select(c => Project(a + "kv_b_proj", Norm(c[..rank], weights[a + "kv_a_layernorm.weight"], 1e-6))).ToArray();
        var frequencies = Frequencies(dr, x.Length, out var magnitude);
        var scale = 1 / Math.Sqrt(dn + dr);
        if (config["rope_scaling"] is JsonObject rope && ((double?)rope["mscale_all_dim"] ?? 0) != 0)
            scale *= Math.Pow(0.1 * (double)rope["mscale_all_dim"]! * Math.Log((double)rope["factor"]!) + 1, 2);
        var sideBySide = _family == "deepseek_v2" || ((bool?)config["rope_interleave"] ?? true);
        var contexts = x.Select(_ => new double[heads * dv]).ToArray();
        for (var h = 0; h < heads; h++)
        {
            var queries = q.Select((v, p) => Both(v[(h * (dn + dr))..(h * (dn + dr) + dn)], v[(h * (dn + dr) + dn)..((h + 1) * (dn + dr))], p)).ToArray();
            var keys = kv.Select((v, p) => Both(v[(h * (dn + dv))..(h * (dn + dv) + dn)], compressed[p][rank..], p)).ToArray();
            var values = kv.Select(v => v[(h * (dn + dv) + dn)..((h + 1) * (dn + dv))]).ToArray();
            for (var i = 0; i < x.Length; i++)
                Attend(queries[i], keys, values, i, int.MaxValue, scale).CopyTo(contexts[i], h * dv);
        }
        return [.. contexts.Select(c => Project(a + "o_proj", c))];

        double[] Both(double[] plain, double[] rotary, int position)
        {
            var turned = sideBySide ? RotatePairs(rotary, position, frequencies, magnitude) : Rotate(rotary, position, frequencies, magnitude);
            return [.. plain, .. turned];
        }
    }

    private static double[] Attend(double[] query, double[][] keys, double[][] values, int position, int window, double scale)
    {
        var from = Math.Max(0L, position - (long)window + 1);
        var context = new double[values[0].Length];
        var scores = new List<double>();
        for (var j = (int)from; j <= position; j++)
            scores.Add(query.Zip(keys[j], (a, b) => a * b).Sum() * scale);
        var shares = Softmax([.. scores]);
        for (var j = (int)from; j <= position; j++)
        {
            for (var d = 0; d < context.Length; d++)
                context[d] += shares[j - (int)from] * values[j][d];
        }
        return context;
    }

    private int Window(int layer) => _family switch
    {
        "mistral" or "mixtral" => (int?)config["sliding_window"] ?? int.MaxValue,
        "qwen2" or "qwen3" when (bool?)config["use_sliding_window"] == true && layer >= Int("max_window_layers") => Int("sliding_window"),
        _ => int.MaxValue,
    };

    private double[] FeedForward(int layer, double[] x)
    {
        var prefix = $"model.layers.{layer}.";
        if (weights.ContainsKey(prefix + "mlp.gate_proj.weight"))
            return Swiglu(prefix + "mlp.", x);
        var mlp = prefix + (_family == "mixtral" ? "block_sparse_moe." : "mlp.");
        var (chosen, gates) = Route(mlp + "gate.", x);
        if (!Experts.TryGetValue(layer, out var list))
            Experts[layer] = list = [];
        list.Add(chosen);
        var output = new double[x.Length];
        for (var k = 0; k < chosen.Length; k++)
        {
            var expert = $"{mlp}experts.{chosen[k]}.";
            output = Sum(output, [.. (_family == "mixtral" ? Swiglu(expert, x, "w1", "w3", "w2") : Swiglu(expert, x)).Select(v => v * gates[k])]);
        }
        if (_family == "qwen2_moe")
        {
            var open = 1 / (1 + Math.Exp(-Times(weights[mlp + "shared_expert_gate.weight"], x)[0]));
            output = Sum(output, [.. Swiglu(mlp + "shared_expert.", x).Select(v => v * open)]);
        }
        return _family.StartsWith("deepseek", StringComparison.Ordinal) ? Sum(output, Swiglu(mlp + "shared_experts.", x)) : output;
    }

    private (int[] Experts, double[] Gates) Route(string gate, double[] x)
    {
        var logits = Times(weights[gate + "weight"], x);
        var top = Int("num_experts_per_tok");
        var normalizes = (bool?)config["norm_topk_prob"] ?? false;
        switch (_family)
        {
            case "mixtral": // softmax over the chosen logits
                var best = Best(logits, top);
                return (best, Softmax([.. best.Select(e => logits[e])]));
            case "deepseek_v3":
                var scores = logits.Select(z => 1 / (1 + Math.Exp(-z))).ToArray();
                var choice = Sum(scores, weights[gate + "e_score_correction_bias"]);
                var picked = Best(InGroups(choice, group => group.OrderDescending().Take(2).Sum()), top);
                var gates = picked.Select(e => scores[e]).ToArray();
                if (normalizes)
                    gates = [.. gates.Select(g => g / (gates.Sum() + 1e-20))];
                return (picked, [.. gates.Select(g => g * (double)config["routed_scaling_factor"]!)]);
            default:
                var p = Softmax(logits);
                var grouped = (string?)config["topk_method"] == "group_limited_greedy" ? InGroups(p, group => group.Max()) : p;
                var experts = Best(grouped, top);
                var shares = experts.Select(e => p[e]).ToArray();
                if (normalizes)
                    return (experts, [.. shares.Select(s => s / shares.Sum())]);
                return (experts, [.. shares.Select(s => s * ((double?)config["routed_scaling_factor"] ?? 1))]);
        }
    }

    private double[] InGroups(double[] choice, Func<double[], double> score)
    {
        var (groups, kept) = (Int("n_group"), Int("topk_group"));
        var size = choice.Length / groups;
        var chosen = Best([.. Enumerable.Range(0, groups).Select(g => score(choice[(g * size)..((g + 1) * size)]))], kept);
        return [.. choice.Select((c, e) => chosen.Contains(e / size) ? c : double.NegativeInfinity)];
    }

    private static int[] Best(double[] scores, int count) =>
        [.. Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).ThenBy(i => i).Take(count)];

    private double[] Swiglu(string prefix, double[] x, string gate = "gate_proj", string up = "up_proj", string down = "down_proj")
    {
        var g = Times(weights[$"{prefix}{gate}.weight"], x);
        var u = Times(weights[$"{prefix}{up}.weight"], x);
        return Times(weights[$"{prefix}{down}.weight"], [.. g.Zip(u, (a, b) => a / (1 + Math.Exp(-a)) * b)]);
    }

    // Frequencies of the pairs of a head, stretched as rope_scaling says, and what cosine and sine are multiplied by.
    private double[] Frequencies(int size, int length, out double magnitude)
    {
        magnitude = 1;
        var rope = config["rope_scaling"] as JsonObject ?? config["rope_parameters"] as JsonObject;
        var theta = (double?)rope?["rope_theta"] ?? (double?)config["rope_theta"] ?? (_family == "mixtral" ? 1e6 : 1e4);
        var kind = (string?)rope?["rope_type"] ?? (string?)rope?["type"] ?? "default";
        if (kind == "dynamic" && length > Int("max_position_embeddings"))
            theta *= Math.Pow((double)rope!["factor"]! * length / Int("max_position_embeddings") - ((double)rope["factor"]! - 1), size / (size - 2.0));
        var plain = Enumerable.Range(0, size / 2).Select(j => 1 / Math.Pow(theta, 2.0 * j / size)).ToArray();
        if (kind == "llama3")
        {
            var (factor, old) = ((double)rope!["factor"]!, (double)rope["original_max_position_embeddings"]!);
            var (low, high) = ((double)rope["low_freq_factor"]!, (double)rope["high_freq_factor"]!);
            return [.. plain.Select(f =>
            {
                var turns = old * f / (2 * Math.PI); // turns within the old context
                var kept = turns > high ? 1 : turns < low ? 0 : (turns - low) / (high - low);
                return kept * f + (1 - kept) * f / factor;
            })];
        }
        if (kind != "yarn")
            return plain;
        var (stretch, context) = ((double)rope!["factor"]!, (double)rope["original_max_position_embeddings"]!);
        var (fast, slow) = ((double?)rope["beta_fast"] ?? 32, (double?)rope["beta_slow"] ?? 1);
        var from = Math.Max(Math.Floor(size * Math.Log(context / (fast * 2 * Math.PI)) / (2 * Math.Log(theta))), 0);
        var to = Math.Min(Math.Ceiling(size * Math.Log(context / (slow * 2 * Math.PI)) / (2 * Math.Log(theta))), size - 1);
        if (from == to)
            to += 0.001;
        var (a, b) = ((double?)rope["mscale"] ?? 0, (double?)rope["mscale_all_dim"] ?? 0);
        magnitude = a != 0 && b != 0 ? (0.1 * a * Math.Log(stretch) + 1) / (0.1 * b * Math.Log(stretch) + 1) : 0.1 * Math.Log(stretch) + 1;
        return [.. plain.Select((f, j) =>
        {
            var ramp = Math.Min(Math.Max((j - from) / (to - from), 0), 1);
            return f / stretch * ramp + f * (1 - ramp);
        })];
    }

    // Halves: (x1, x2) turns to (x1 cos - x2 sin, x2 cos + x1 sin).
    private static double[] Rotate(double[] x, int position, double[] frequencies, double magnitude)
    {
        var half = x.Length / 2;
        var turned = new double[x.Length];
        for (var j = 0; j < half; j++)
        {
            var (cos, sin) = (Math.Cos(position * frequencies[j]) * magnitude, Math.Sin(position * frequencies[j]) * magnitude);
            turned[j] = x[j] * cos - x[j + half] * sin;
            turned[j + half] = x[j + half] * cos + x[j] * sin;
        }
        return turned;
    }

    // The same for pairs side by side, as complex numbers.
    private static double[] RotatePairs(double[] x, int position, double[] frequencies, double magnitude)
    {
        var turned = new double[x.Length];
        for (var j = 0; j < x.Length / 2; j++)
        {
            var turn = Complex.FromPolarCoordinates(magnitude, position * frequencies[j]);
            var product = new Complex(x[2 * j], x[2 * j + 1]) * turn;
            (turned[2 * j], turned[2 * j + 1]) = (product.Real, product.Imaginary);
        }
        return turned;
    }

    private int Int(string key) => (int)config[key]!;

    private double[] Project(string name, double[] x)
    {
        var y = Times(weights[name + ".weight"], x);
        return weights.TryGetValue(name + ".bias", out var bias) ? Sum(y, bias) : y;
    }

    private static double[] Norm(double[] x, double[] weight, double epsilon)
    {
        var root = Math.Sqrt(x.Sum(v => v * v) / x.Length + epsilon);
        return [.. x.Select((v, i) => v / root * weight[i])];
    }

    private static double[][] Clip(double[][] x, double bound) => [.. x.Select(v => v.Select(e => Math.Clamp(e, -bound, bound)).ToArray())];

    private static double[] Softmax(double[] z)
    {
        var largest = z.Max();
        var powers = z.Select(v => Math.Exp(v - largest)).ToArray();
        var total = powers.Sum();
        return [.. powers.Select(v => v / total)];
    }

    private static double[] Times(double[] matrix, double[] x)
    {
        var y = new double[matrix.Length / x.Length];
        for (var row = 0; row < y.Length; row++)
        {
            for (var i = 0; i < x.Length; i++)
                y[row] += matrix[row * x.Length + i] * x[i];
        }
        return y;
    }

    private static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];
}
