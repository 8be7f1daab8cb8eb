using Espalier.Modeling;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.Methods;
using Espalier.Surgery;
using Espalier.Surgery.Checkpoints;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Tests.Methods;

/// <summary>
/// The plain twin of what calibration shows to a method: one MoE block (softmax router, SwiGLU experts) in loops over float64 numbers, from the
/// stored weights and the stream before the block.
/// </summary>
internal sealed class PlainBlock
{
    /// <summary>(T, H) stream before the block.</summary>
    public required double[][] Residual { get; init; }

    /// <summary>(T, H) input of the experts.</summary>
    public required double[][] Input { get; init; }

    /// <summary>(T, E) router logits.</summary>
    public required double[][] Logits { get; init; }

    /// <summary>(T, E) combine weights, 0 for experts that were not picked.</summary>
    public required double[][] Gates { get; init; }

    /// <summary>[t][e] (F) input of the down projection, whoever was picked.</summary>
    public required double[][][] Hidden { get; init; }

    /// <summary>[t][e] (H) output, whoever was picked.</summary>
    public required double[][][] Output { get; init; }

    /// <summary>[e][i][j] down projections.</summary>
    public required double[][][] Down { get; init; }

    public int Tokens => Residual.Length;

    public int Experts => Down.Length;

    /// <summary>Tokens that picked an expert.</summary>
    public IReadOnlyList<int> TokensOf(int expert) => [.. Enumerable.Range(0, Tokens).Where(t => Gates[t][expert] > 0)];

    public static double Norm(double[] vector) => Math.Sqrt(Dot(vector, vector));

    public static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    /// <summary>Runs layer 1 on random streams twice: what the method scores, and the plain twin.</summary>
    public static async Task<(double[] Scores, PlainBlock Plain)> RunAsync(
        IPruningMethod method, string options, Granularity granularity, ModelConfig? config = null)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(config);
        var source = await tiny.OpenAsync(tiny.Model);
        using var decoder = DecoderFiles.LoadDecoder(source.Reader, "model");
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var written = System.Text.Json.JsonDocument.Parse(options).RootElement;
        var sums = new LayerSums(tiny.Config.Experts, tiny.Config.ExpertSize, method.Sums(written));
        var streams = randn(3, 2, 16, tiny.Config.HiddenSize, generator: new Generator(5)).unbind();                       // 3 of (B, S, H)
        var captured = new Residuals();
        foreach (var stream in streams)
        {
            new LayerCalibration(decoder, 1, method, CalibrationNeed.Activations, sums) { Options = written }.Forward(stream);
            decoder.RunLayer(1, stream, captured);
        }
        var request = new ScoreRequest(1, granularity, 0, written) { Weights = new LayerWeights(source.Config, new StoredWeights(source.Reader), 1) };
        return (method.Score(sums, request), Of(source, 1, captured.Rows));
    }

    private static PlainBlock Of(MoeCheckpoint source, int layer, List<double[]> residual)
    {
        var config = source.Config;
        var norm = Read(source, TensorNames.Layer(layer) + "post_attention_layernorm.weight", 1)[0];
        var router = Read(source, TensorNames.Router(layer), config.Experts);
        var experts = Enumerable.Range(0, config.Experts).Select(e => new
        {
            Gate = Read(source, TensorNames.Expert(layer, e, "gate"), config.ExpertSize),
            Up = Read(source, TensorNames.Expert(layer, e, "up"), config.ExpertSize),
            Down = Read(source, TensorNames.Expert(layer, e, "down"), config.HiddenSize),
        }).ToList();
        var input = residual.Select(r =>
        {
            var scale = 1 / Math.Sqrt(r.Average(v => v * v) + config.NormEpsilon);
            return r.Select((v, i) => v * scale * norm[i]).ToArray();
        }).ToArray();
        var logits = input.Select(x => router.Select(row => Dot(row, x)).ToArray()).ToArray();
        var hidden = input.Select(x => experts.Select(e => e.Gate.Zip(e.Up, (gate, up) => Silu(Dot(gate, x)) * Dot(up, x)).ToArray()).ToArray()).ToArray();
        return new PlainBlock
        {
            Residual = [.. residual],
            Input = input,
            Logits = logits,
            Gates = [.. logits.Select(z => GatesOf(z, config))],
            Hidden = hidden,
            Output = [.. hidden.Select(h => experts.Select((e, index) => e.Down.Select(row => Dot(row, h[index])).ToArray()).ToArray())],
            Down = [.. experts.Select(e => e.Down)],
        };
    }

    private static double[] GatesOf(double[] logits, ModelConfig config)
    {
        var powers = logits.Select(Math.Exp).ToArray();
        var shares = powers.Select(p => p / powers.Sum()).ToArray();
        var picked = Enumerable.Range(0, shares.Length).OrderByDescending(e => shares[e]).Take(config.ExpertsPerToken).ToList();
        var total = config.NormalizeTopK ? picked.Sum(e => shares[e]) : 1;
        return [.. shares.Select((s, e) => picked.Contains(e) ? s / total : 0)];
    }

    private static double Silu(double x) => x / (1 + Math.Exp(-x));

    private static double[][] Read(MoeCheckpoint source, string name, int rows)
    {
        var values = source.ReadFloats(source.Tensor(name));
        return [.. values.Select(v => (double)v).Chunk(values.Length / rows)];
    }

    private sealed class Residuals : IMoeObserver
    {
        public List<double[]> Rows { get; } = [];

        public void OnBlock(int layer, Tensor residual, Tensor output)
        {
            using var wide = residual.to(float64).contiguous();
            Rows.AddRange(wide.data<double>().ToArray().Chunk((int)residual.shape[1]));
        }
    }
}
