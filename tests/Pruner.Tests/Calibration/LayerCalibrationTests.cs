using Espalier.Modeling;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.Methods;
using Espalier.Surgery.Calibration;
using Espalier.Surgery.Checkpoints;
using Espalier.Datasets.Sampling;
using Espalier.Modeling.Runtime;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Espalier.Pruner.Tests.Calibration;

public sealed class LayerCalibrationTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Run_MaskGradient_EqualsFiniteDifference(bool normalize)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny() with { NormalizeTopK = normalize });
        using var decoder = DecoderFiles.LoadDecoder((await tiny.OpenAsync(tiny.Model)).Reader, "model");
        using var scope = NewDisposeScope();
        var tokens = Tokens(4, 16);
        var sums = Sums(tiny.Config);
        Run(decoder, sums, tokens);

        foreach (var (layer, expert) in new[] { (0, 0), (0, 3), (1, 1) })
        {
            var gradient = sums[layer].Sum(Heapr.Products, expert, tiny.Config.ExpertSize);
            var neuron = Enumerable.Range(0, gradient.Count).MaxBy(j => Math.Abs(gradient[j]));
            const double Step = 1e-2;
            var difference = (Loss(decoder, tokens, layer, expert, neuron, 1 + Step) - Loss(decoder, tokens, layer, expert, neuron, 1 - Step)) / (2 * Step);

            difference.ShouldBe(gradient[neuron], 0.01 * Math.Abs(gradient[neuron]) + 1e-3);
        }
    }

    [Fact]
    public async Task Run_BatchesOfOtherSizes_SameSums()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        using var decoder = DecoderFiles.LoadDecoder((await tiny.OpenAsync(tiny.Model)).Reader, "model");
        using var scope = NewDisposeScope();
        var tokens = Tokens(4, 16);
        var (whole, parts) = (Sums(tiny.Config), Sums(tiny.Config));
        Run(decoder, whole, tokens);
        foreach (var part in tokens.split([1, 3]))
            Run(decoder, parts, part);

        parts[1].Tokens.ShouldBe(whole[1].Tokens);
        whole[0].Tokens.Sum().ShouldBe(4 * 16 * 2);
        var (a, b) = (whole[0].Sum(Heapr.ProductSquares, 1, 24), parts[0].Sum(Heapr.ProductSquares, 1, 24));
        for (var j = 0; j < 24; j++)
            b[j].ShouldBe(a[j], 1e-3 * Math.Abs(a[j]) + 1e-9);
    }

    [Fact]
    public async Task Run_ManyBatches_LeavesNoTensorBehind()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        using var decoder = DecoderFiles.LoadDecoder((await tiny.OpenAsync(tiny.Model)).Reader, "model");
        using var scope = NewDisposeScope();
        var (tokens, sums) = (Tokens(2, 8), Sums(tiny.Config));
        Run(decoder, sums, tokens);
        var before = TorchRuntime.LiveTensorCount;

        Run(decoder, sums, tokens);
        Run(decoder, sums, tokens);

        TorchRuntime.LiveTensorCount.ShouldBe(before);
    }

    [Fact]
    public void Save_Restore_GivesTheSameSums()
    {
        var sums = new LayerSums(2, 2);
        sums.Tokens[1] = 3;
        sums.Gates[1] = 0.1 + 0.2;
        sums.Add("x", 1, [Math.PI, 1e-300]);
        var restored = new LayerSums(2, 2);

        restored.Restore(System.Text.Json.Nodes.JsonNode.Parse(sums.Save().ToJsonString())!.AsObject());

        restored.Sum("x", 1, 2).ShouldBe([Math.PI, 1e-300]);
        (restored.Tokens[1], restored.Gates[1]).ShouldBe((3, 0.1 + 0.2));
        restored.Unrouted.ShouldBe([0]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Stage_LayerAtATime_GivesTheSumsOfTheWholeModel(bool siblingExclusive)
    {
        var config = siblingExclusive
            ? ModelConfig.Tiny() with { SiblingGroups = [[0, 1, 0, 1], [0, 1, 1, 0]], SiblingExclusive = true }
            : ModelConfig.Tiny();
        using var tiny = await TinyCheckpoint.CreateAsync(config, "BF16", selectionBias: true);
        await tiny.AddCalibrationAsync();
        using var decoder = DecoderFiles.LoadDecoder((await tiny.OpenAsync(tiny.Model)).Reader, "model");
        var source = await tiny.OpenAsync(tiny.Model);
        var sample = await CalibrationSet.LoadAsync(
            tiny.Store, tiny.Inputs[1].Artifact, source.LoadTokenizer(), 6, 16, 3, Directory.CreateTempSubdirectory(), tiny.Progress.Report, default);

        var context = tiny.Context(
            """{"method":"heapr","ratio":0.34,"seed":3,"calibration":{"data":"file:words","samples":6,"length":16,"batch":4}}""");
        var result = await new PruneStage().RunAsync(context, default);

        var scores = await tiny.ReportAsync(result, "scores.json");
        var sums = Sums(config);
        using var scope = NewDisposeScope();
        foreach (var part in tensor(sample.Ids).split(4))
            Run(decoder, sums, part);
        for (var layer = 0; layer < 2; layer++)
        {
            var expected = new Heapr().Score(sums[layer], new ScoreRequest(layer, Granularity.Neuron, 3, default));
            scores[layer].EnumerateArray().Select(s => s.GetDouble()).ShouldBe(expected);
        }
    }

    // The obvious twin: the whole model in memory, every layer forward, then every layer back.
    private static void Run(MoeDecoder decoder, LayerSums[] sums, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        var method = new Heapr();
        var layers = sums.Select((layer, index) => new LayerCalibration(decoder, index, method, CalibrationNeed.Gradients, layer)).ToList();
        using (no_grad())
        {
            var streams = new List<Tensor> { decoder.Embed(tokens) };
            foreach (var layer in layers)
                streams.Add(layer.Forward(streams[^1]));
            var gradient = HeadGradient.Of(decoder, streams[^1], tokens);
            for (var layer = layers.Count - 1; layer >= 0; layer--)
                gradient = layers[layer].Backward(streams[layer], gradient);
        }
    }

    private static LayerSums[] Sums(ModelConfig config) =>
        [.. Enumerable.Range(0, config.Layers).Select(_ => new LayerSums(config.Experts, config.ExpertSize))];

    private static Tensor Tokens(int batch, int length) => randint(0, 256, [batch, length], dtype: int64, generator: new Generator(11));

    // Summed loss when one neuron's contribution is scaled, as a mask on it would.
    private static double Loss(MoeDecoder decoder, Tensor tokens, int layer, int expert, int neuron, double scale)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var column = decoder.GetExpert(layer, expert).Down.select(1, neuron);
        var original = column.clone();
        column.mul_(scale);
        var logits = decoder.Forward(tokens).Logits.narrow(1, 0, tokens.shape[1] - 1).flatten(0, 1).to(float64);
        column.copy_(original);
        return cross_entropy(logits, tokens.narrow(1, 1, tokens.shape[1] - 1).flatten(), reduction: nn.Reduction.Sum).item<double>();
    }
}
