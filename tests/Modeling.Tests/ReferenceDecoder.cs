using static TorchSharp.torch;

namespace Espalier.Modeling.Tests;

/// <summary>The decoder written a second time, straight from the formulas: one token after the other, loops over plain arrays, float64.</summary>
internal sealed class ReferenceDecoder(ModelConfig config, IReadOnlyDictionary<string, double[]> weights)
{
    public List<int[][]> Selected { get; } = [];

    public static ReferenceDecoder Of(MoeDecoder decoder)
    {
        var weights = new Dictionary<string, double[]>();
        foreach (var (name, value) in decoder.ExportWeights())
        {
            using (value)
            using (var wide = value.to(float64).contiguous())
                weights[name] = wide.data<double>().ToArray();
        }
        return new ReferenceDecoder(decoder.Config, weights);
    }

    /// <summary>Logits by position of one sequence.</summary>
    public double[][] Forward(long[] tokens)
    {
        var hidden = tokens.Select(token => Row(weights[TensorNames.Embedding], (int)token, config.HiddenSize)).ToArray();
        for (var layer = 0; layer < config.Layers; layer++)
        {
            var prefix = TensorNames.Layer(layer);
            var attended = Attention(prefix, [.. hidden.Select(h => Norm(h, weights[prefix + "input_layernorm.weight"]))]);
            hidden = [.. hidden.Zip(attended, Add)];
            var selected = new List<int[]>();
            for (var position = 0; position < hidden.Length; position++)
            {
                var x = Norm(hidden[position], weights[prefix + "post_attention_layernorm.weight"]);
                var (experts, gates) = Route(layer, x, position);
                selected.Add(experts);
                for (var k = 0; k < experts.Length; k++)
                    hidden[position] = Add(hidden[position], [.. Expert(layer, experts[k], x).Select(v => v * gates[k])]);
            }
            Selected.Add([.. selected]);
        }
        var head = weights[config.TieEmbeddings ? TensorNames.Embedding : TensorNames.Head];
        return [.. hidden.Select(h => Multiply(head, Norm(h, weights[TensorNames.FinalNorm])))];
    }

    private double[][] Attention(string prefix, double[][] inputs)
    {
        var (heads, shared, size) = (config.Heads, config.Heads / config.KeyValueHeads, config.HeadSize);
        var queries = inputs.Select((x, position) => Rotate(Normed("q", x), position)).ToArray();
        var keys = inputs.Select((x, position) => Rotate(Normed("k", x), position)).ToArray();
        var values = inputs.Select(x => Clip(Project("v", x))).ToArray();
        var outputs = new double[inputs.Length][];
        for (var i = 0; i < inputs.Length; i++)
        {
            var context = new double[heads * size];
            for (var h = 0; h < heads; h++)
            {
                var (q, kv) = (h * size, h / shared * size);
                var query = queries[i];
                var scores = keys.Take(i + 1).Select(key => Enumerable.Range(0, size).Sum(d => query[q + d] * key[kv + d]) / Math.Sqrt(size));
                var attention = Softmax([.. scores]);
                for (var j = 0; j <= i; j++)
                {
                    for (var d = 0; d < size; d++)
                        context[q + d] += attention[j] * values[j][kv + d];
                }
            }
            outputs[i] = Project("o", context);
        }
        return outputs;

        double[] Project(string projection, double[] x) => Multiply(weights[$"{prefix}self_attn.{projection}_proj.weight"], x);

        double[] Normed(string projection, double[] x) =>
            Clip(Norm(Project(projection, x), weights[$"{prefix}self_attn.{projection}_norm.weight"]));
    }

    private (int[] Experts, double[] Gates) Route(int layer, double[] x, int position)
    {
        var logits = Multiply(weights[TensorNames.Router(layer)], x);
        if (weights.TryGetValue(TensorNames.RouterBias(layer), out var logitBias))
            logits = Add(logits, logitBias);
        var beta = weights.GetValueOrDefault(TensorNames.SelectionBias(layer)) ?? new double[logits.Length];
        int[][] candidates = config.SiblingExclusive
            ? [.. config.SiblingGroups![layer].Select((group, expert) => (group, expert)).GroupBy(p => p.group, p => p.expert).Select(g => g.ToArray())]
            : [.. Enumerable.Range(0, logits.Length).Select(e => new[] { e })];
        var z = candidates.Select(members => members.Max(e => logits[e])).ToArray();
        var scores = config.ScoreFunction == ScoreFunction.Softmax ? Softmax(z) : [.. z.Select(v => 1 / (1 + Math.Exp(-v)))];
        var best = Enumerable.Range(0, z.Length)
            .OrderByDescending(c => scores[c] + candidates[c].Max(e => beta[e])).ThenBy(c => c)
            .Take(config.ExpertsPerToken).ToArray();
        if (config.TopP is { } p)
            best = [.. best.TakeWhile((_, k) => best.Take(k).Sum(c => scores[c]) <= p)];
        var gates = best.Select(c => scores[c]).ToArray();
        if (config.NormalizeTopK)
            gates = [.. gates.Select(g => g / gates.Sum())];
        return ([.. best.Select(c => candidates[c][(position + layer) % candidates[c].Length])], gates);
    }

    private double[] Expert(int layer, int expert, double[] x)
    {
        var gate = Multiply(weights[TensorNames.Expert(layer, expert, "gate")], x);
        var up = Multiply(weights[TensorNames.Expert(layer, expert, "up")], x);
        return Multiply(weights[TensorNames.Expert(layer, expert, "down")], [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)]);
    }

    private double[] Norm(double[] x, double[] weight)
    {
        var scale = 1 / Math.Sqrt(x.Average(v => v * v) + config.NormEpsilon);
        return [.. x.Select((v, i) => v * scale * weight[i])];
    }

    private double[] Rotate(double[] x, int position)
    {
        var (size, half) = (config.HeadSize, config.HeadSize / 2);
        var rotated = new double[x.Length];
        for (var i = 0; i < x.Length; i++)
        {
            var d = i % size;
            var angle = position * Math.Pow(config.RopeTheta, -2.0 * (d % half) / size);
            rotated[i] = x[i] * Math.Cos(angle) + (d < half ? -x[i + half] : x[i - half]) * Math.Sin(angle);
        }
        return rotated;
    }

    private double[] Clip(double[] x) => config.ClipQkv is { } c ? [.. x.Select(v => Math.Clamp(v, -c, c))] : x;

    private static double[] Softmax(double[] z)
    {
        var exponentials = z.Select(v => Math.Exp(v - z.Max())).ToArray();
        return [.. exponentials.Select(v => v / exponentials.Sum())];
    }

    private static double[] Multiply(double[] matrix, double[] x) =>
        [.. Enumerable.Range(0, matrix.Length / x.Length).Select(row => Enumerable.Range(0, x.Length).Sum(i => matrix[row * x.Length + i] * x[i]))];

    private static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private static double[] Row(double[] matrix, int row, int width) => matrix[(row * width)..((row + 1) * width)];
}
