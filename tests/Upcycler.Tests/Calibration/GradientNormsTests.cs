using Espalier.Modeling;
using Espalier.Surgery.Checkpoints;
using Espalier.Modeling.Runtime;
using Espalier.TestKit.Models;
using Espalier.Upcycler.Calibration;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Espalier.Upcycler.Tests.Calibration;

public sealed class GradientNormsTests
{
    [Fact]
    public async Task Norms_TwoBatches_IsTheNormOfTheMeanGradient()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        using var parts = new GradientNorms(await LoadAsync(tiny));
        using var whole = new GradientNorms(await LoadAsync(tiny));
        using var scope = NewDisposeScope();
        var tokens = Tokens(4);

        foreach (var part in tokens.split([2, 2]))
            parts.Add(part);
        whole.Add(tokens);

        for (var layer = 0; layer < 2; layer++)
        {
            var ((a1, a2), (b1, b2)) = (parts.Norms(layer), whole.Norms(layer));
            for (var expert = 0; expert < 4; expert++)
            {
                a1[expert].ShouldBe(b1[expert], 1e-4 * b1[expert]);
                a2[expert].ShouldBe(b2[expert], 1e-4 * b2[expert]);
            }
        }
    }

    [Fact]
    public async Task Norms_OneExpert_PredictsTheLossAlongTheGradient()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        var decoder = await LoadAsync(tiny);
        using var norms = new GradientNorms(decoder);
        using var scope = NewDisposeScope();
        var tokens = Tokens(4);
        norms.Add(tokens);
        var (_, fc2) = norms.Norms(1);
        using var untracked = no_grad();
        var parameter = decoder.Parameters.Single(p => p.Name == TensorNames.ExpertsDown(1)).Value;
        var direction = parameter.grad!.select(0, 2).clone() / fc2[2]; // unit vector
        var weights = parameter.detach().select(0, 2);
        const double Step = 1e-2;

        weights.add_(direction * Step);
        var up = Loss(decoder, tokens);
        weights.sub_(direction * (2 * Step));
        var down = Loss(decoder, tokens);

        ((up - down) / (2 * Step)).ShouldBe(fc2[2], 0.02 * fc2[2]);
    }

    [Fact]
    public async Task Norms_ExpertWithoutTokens_IsZeroAndCounted()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(routerBias: true, change: (name, values) =>
            name.EndsWith("gate.bias", StringComparison.Ordinal) ? [0, 0, 0, -1e4f] : values);
        using var norms = new GradientNorms(await LoadAsync(tiny));
        using var scope = NewDisposeScope();

        norms.Add(Tokens(2));

        var (fc1, fc2) = norms.Norms(0);
        (fc1[3], fc2[3]).ShouldBe((0, 0));
        norms.Tokens[0][3].ShouldBe(0);
        norms.Tokens[0].Sum().ShouldBe(2 * 24 * 2);
    }

    [Fact]
    public async Task Add_ManyBatches_LeavesNoTensorBehind()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        using var norms = new GradientNorms(await LoadAsync(tiny));
        using var scope = NewDisposeScope();
        var tokens = Tokens(2);
        norms.Add(tokens);
        var before = TorchRuntime.LiveTensorCount;

        norms.Add(tokens);
        norms.Norms(0);

        TorchRuntime.LiveTensorCount.ShouldBe(before);
    }

    private static async Task<MoeDecoder> LoadAsync(TinyCheckpoint tiny) => DecoderFiles.LoadDecoder((await tiny.OpenAsync(tiny.Model)).Reader, "model");

    private static Tensor Tokens(int batch) => randint(0, 256, [batch, 24], dtype: int64, generator: new Generator(5));

    private static double Loss(MoeDecoder decoder, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        var logits = decoder.Forward(tokens).Logits.narrow(1, 0, 23).flatten(0, 1).to(float64);
        return cross_entropy(logits, tokens.narrow(1, 1, 23).flatten()).item<double>();
    }
}
