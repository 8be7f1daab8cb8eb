using Espalier.Modeling.Tests.Fused;
using Espalier.Modeling.Training;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

/// <summary>Dropout: the right share of zeros, the right mean, and the same ones whatever happens to a run.</summary>
public sealed class DropoutTests
{
    [Theory]
    [InlineData(0.1)]
    [InlineData(0.75)]
    public void DropFromStream_ManyNumbers_KeepsTheMeanAndDropsTheShare(double chance)
    {
        using var scope = NewDisposeScope();
        var pass = new TrainingPass { Dropout = chance, Seed = 4 };

        var dropped = pass.DropFromStream(ones(8 * 64, 96), "attention", 1, sequences: 8).data<float>().ToArray();

        dropped.Distinct().Order().ShouldBe([0f, (float)(1 / (1 - chance))]);
        dropped.Count(value => value == 0).ShouldBeInRange((int)((chance - 0.01) * dropped.Length), (int)((chance + 0.01) * dropped.Length));
    }

    [Fact]
    public void DropFromStream_AnotherStepSequenceLayerOrPlace_DropsOthers()
    {
        using var scope = NewDisposeScope();
        var pass = new TrainingPass { Dropout = 0.5, Seed = 4, Step = 7, FirstSequence = 2 };

        var variants = new[]
        {
            Mask(pass, "attention", 1), Mask(pass, "feed-forward", 1), Mask(pass, "attention", 2), Mask(pass with { Step = 8 }, "attention", 1),
            Mask(pass with { Seed = 5 }, "attention", 1), Mask(pass with { FirstSequence = 3 }, "attention", 1),
        };

        variants.Select(mask => string.Join(',', mask)).Distinct().Count().ShouldBe(variants.Length);
        Mask(pass, "attention", 1).ShouldBe(variants[0]);

        static float[] Mask(TrainingPass pass, string place, int layer) => pass.DropFromStream(ones(40, 3), place, layer, sequences: 1).data<float>().ToArray();
    }

    /// <summary>Each choice of each token has numbers of its own, wherever sorting puts it.</summary>
    [Fact]
    public void DropFromExperts_OtherOrder_DropsTheSameOfEachChoice()
    {
        using var scope = NewDisposeScope();
        var pass = new TrainingPass { ExpertDropout = 0.5 };
        var order = tensor([5L, 0, 3, 1, 4, 2]);

        var sorted = pass.DropFromExperts(ones(6, 32), order, 6, 0, sequences: 1);
        var plain = pass.DropFromExperts(ones(6, 32), arange(6), 6, 0, sequences: 1);

        sorted.equal(plain.index_select(0, order)).all().item<bool>().ShouldBeTrue();
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("dense-first")]
    public void Step_CutIntoOtherMicroBatchesOrComputedAgain_HasTheSameGradients(string variant)
    {
        using var scope = NewDisposeScope();
        using var decoder = FusedModels.Create(variant);

        var whole = Gradients(decoder, recompute: false, parts: 1);
        var cut = Gradients(decoder, recompute: false, parts: 2);
        var again = Gradients(decoder, recompute: true, parts: 1);
        var other = Gradients(decoder, recompute: false, parts: 1, step: 4);

        Distance(cut, whole).ShouldBeLessThan(1e-5);
        Distance(again, whole).ShouldBeLessThan(1e-5);
        Distance(other, whole).ShouldBeGreaterThan(0.1);
    }

    /// <summary>A training step of the model with dropout, by hand: the same masks laid over the same formulas.</summary>
    [Fact]
    public void Step_OneLayer_IsTheFormulasWithTheMasks()
    {
        using var scope = NewDisposeScope();
        using var decoder = Models.Tiny(1, config => config with { Layers = 1 });
        using var optimizer = new GradientRecorder(decoder.Buffer);
        decoder.Buffer.RequireGradients();
        var settings = new TrainerSettings { Balance = BalanceMethod.None, Dropout = 0.4, Seed = 9 };
        var (batch, pass) = (FusedModels.Batch("plain"), new TrainingPass { Dropout = 0.4, Seed = 9, Step = 3 });
        var (inputs, targets) = (batch.narrow(1, 0, 21).contiguous(), batch.narrow(1, 1, 21).contiguous());
        var seen = new Parts();

        var loss = new DecoderTrainer(decoder, optimizer, settings).Step([batch.clone()], 0, step: 3).Loss;

        using var untracked = no_grad();
        decoder.UsesKernels = false;
        var embedded = decoder.Embed(inputs);
        decoder.RunLayer(0, embedded, seen);
        var attention = tensor(seen.Residual, [42, 32]) - embedded.view(-1, 32);
        var middle = embedded.view(-1, 32) + pass.DropFromStream(attention, "attention", 0, sequences: 2);
        var end = middle + pass.DropFromStream(Block(decoder, middle), "feed-forward", 0, sequences: 2);
        loss.ShouldBe(Losses.CrossEntropy(decoder.Head(end.view(2, 21, 32)), targets).item<float>(), 1e-5);
    }

    [Fact]
    public void Steps_WithDropout_KeepNoTensors()
    {
        using var scope = NewDisposeScope();
        using var decoder = FusedModels.Create("plain");
        var batches = Enumerable.Range(0, 3).Select(_ => FusedModels.Batch("plain")).ToList();
        Gradients(decoder, recompute: false, parts: 1);
        using var optimizer = new GradientRecorder(decoder.Buffer);
        var trainer = new DecoderTrainer(decoder, optimizer, new TrainerSettings { Dropout = 0.1, ExpertDropout = 0.1, Balance = BalanceMethod.None });
        var before = LiveTensors.CountSettled();

        foreach (var batch in batches)
            trainer.Step([batch], 0);

        LiveTensors.Count.ShouldBe(before - batches.Count);
    }

    // What experts add to a stream (T, H): the layer's formulas after attention, of a router and experts alone.
    private static Tensor Block(MoeDecoder decoder, Tensor middle)
    {
        var weights = decoder.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value.detach());
        var x = middle * (middle.square().mean([-1L], keepdim: true) + decoder.Config.NormEpsilon).rsqrt()
            * weights[TensorNames.Layer(0) + "post_attention_layernorm.weight"];
        var scores = nn.functional.linear(x, weights[TensorNames.Router(0)]).softmax(-1); // (T, E)
        var chosen = Router.TopK(scores, decoder.Config.ExpertsPerToken);                // (T, K)
        var output = zeros_like(x);
        for (var expert = 0; expert < decoder.Config.Experts; expert++)
        {
            var (gate, up, down) = (decoder.GetExpert(0, expert).Gate, decoder.GetExpert(0, expert).Up, decoder.GetExpert(0, expert).Down);
            var isChosen = chosen.eq(expert).any(-1).to(float32) * scores.select(1, expert); // (T)
            output += nn.functional.linear(nn.functional.silu(nn.functional.linear(x, gate)) * nn.functional.linear(x, up), down) * isChosen.unsqueeze(1);
        }
        return output;
    }

    private static float[] Gradients(MoeDecoder decoder, bool recompute, int parts, long step = 3)
    {
        using var optimizer = new GradientRecorder(decoder.Buffer);
        decoder.Buffer.RequireGradients();
        var settings = new TrainerSettings { Balance = BalanceMethod.None, Recompute = recompute, Dropout = 0.3, ExpertDropout = 0.2, Seed = 9 };
        var batch = tensor(Models.Tokens(4 * 14, seed: 5), [4, 14]);
        new DecoderTrainer(decoder, optimizer, settings).Step([.. batch.split(4 / parts)], 0, step: step);
        return optimizer.Gradients;
    }

    private static double Distance(float[] a, float[] b) =>
        Math.Sqrt(a.Zip(b, (x, y) => ((double)x - y) * ((double)x - y)).Sum() / b.Sum(y => (double)y * y));

    private sealed class Parts : IMoeObserver
    {
        public float[] Residual { get; private set; } = [];

        public void OnBlock(int layer, Tensor residual, Tensor output) => Residual = residual.contiguous().data<float>().ToArray();
    }
}
