using Espalier.Modeling;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.Methods;
using Espalier.Stages.Checkpoints;
using Espalier.SurgeryTests;
using Espalier.Torch;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Espalier.Pruner.Tests.Calibration;

public sealed class CalibrationPassTests
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
        new CalibrationPass(decoder, new Heapr(), sums).Run(tokens);

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
        new CalibrationPass(decoder, new Heapr(), whole).Run(tokens);
        foreach (var part in tokens.split([1, 3]))
            new CalibrationPass(decoder, new Heapr(), parts).Run(part);

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
        var pass = new CalibrationPass(decoder, new Heapr(), sums);
        pass.Run(tokens);
        var before = TorchRuntime.LiveTensorCount;

        pass.Run(tokens);
        pass.Run(tokens);

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
