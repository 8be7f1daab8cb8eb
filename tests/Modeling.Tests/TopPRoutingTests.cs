using System.Text;
using Espalier.Modeling.Tests.Fused;
using Espalier.Modeling.Tests.Training;
using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests;

/// <summary>Tokens that take experts until their probabilities add up to more than p, at most K.</summary>
public sealed class TopPRoutingTests
{
    [Theory]
    [InlineData(0.4, 1)]
    [InlineData(0.5, 2)] // more than p, so that a sum of exactly p goes on
    [InlineData(0.7, 2)]
    [InlineData(0.9, 3)]
    [InlineData(0, 1)]
    public void Route_HandbookProbabilities_UsesHandbookNumbers(double p, int expected)
    {
        using var scope = NewDisposeScope();
        var one = ones(1, 1);
        var layer = new DecoderLayer(0)
        {
            InputNorm = one, PostNorm = one, Attention = new AttentionWeights { Query = one, Output = one },
            Router = tensor(new[] { MathF.Log(0.3f), MathF.Log(0.5f), MathF.Log(0.2f) }, [3, 1]),
        };

        var trace = Router.Route(ModelConfig.Tiny() with { Experts = 3, ExpertsPerToken = 3, TopP = p }, layer, one, 1);

        trace.SelectedByToken().ShouldHaveSingleItem().ShouldBe(new long[] { 1, 0, 2 }.Take(expected));
        trace.Gates.data<float>().ToArray().Zip([0.5f, 0.3f, 0.2f], (gate, q) => gate == 0 ? 0 : gate / q)
            .ShouldBe(Enumerable.Range(0, 3).Select(k => k < expected ? 1f : 0), 1e-5f);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("normalized")]
    [InlineData("biased")]
    public void Forward_TopP_EqualsTheFormulas(string variant)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using var decoder = FusedModels.Create(variant);
        decoder.ChangeRouting(siblingExclusive: false, decoder.Config.Experts);
        decoder.ChangeTopP(0.6);
        var tokens = Models.Tokens(11, seed: 3);

        var output = decoder.Forward(tensor(tokens).unsqueeze(0));
        var reference = ReferenceDecoder.Of(decoder);
        var expected = reference.Forward(tokens);

        Models.Distance(output.Logits.contiguous().data<float>().ToArray(), expected.SelectMany(row => row).Select(v => (float)v)).ShouldBeLessThan(1e-4);
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            var used = output.Routing[layer].SelectedByToken();
            used.Select(experts => string.Join(',', experts)).ShouldBe(reference.Selected[layer].Select(experts => string.Join(',', experts)));
            output.Routing[layer].Counts.ShouldBe(
                Enumerable.Range(0, decoder.Config.Experts).Select(e => used.LongCount(experts => experts.Contains((long)e))));
            used.Select(experts => experts.Length).Distinct().Count().ShouldBeGreaterThan(1);
        }
    }

    [Fact]
    public void Forward_TopPOfOne_IsOrdinaryRouting()
    {
        using var decoder = FusedModels.Create("normalized");
        decoder.UsesKernels = false;
        var ordinary = Models.Logits(decoder, Models.Tokens(9, seed: 1));

        decoder.ChangeTopP(1);

        Models.Logits(decoder, Models.Tokens(9, seed: 1)).ShouldBe(ordinary);
    }

    /// <summary>Kernels know no top-p routing: a model that has it runs without them, and with them again when it is gone.</summary>
    [Fact]
    public void Forward_WithKernels_IsTheSameAsWithout()
    {
        using var decoder = FusedModels.Create("plain");
        var tokens = Models.Tokens(9, seed: 1);
        var fused = Models.Logits(decoder, tokens);
        decoder.ChangeTopP(0.3);
        var limited = Models.Logits(decoder, tokens);
        decoder.UsesKernels = false;

        Models.Logits(decoder, tokens).Zip(limited, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-4f); // the head alone has kernels
        decoder.UsesKernels = true;
        decoder.ChangeTopP(null);
        Models.Logits(decoder, tokens).ShouldBe(fused);
        Models.Distance(limited, fused).ShouldBeGreaterThan(1e-3);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(0.7)]
    public void Step_ComputedAgain_HasTheSameGradients(double? capacity)
    {
        using var scope = NewDisposeScope();
        using var decoder = FusedModels.Create("shared");
        decoder.ChangeTopP(0.35);

        var kept = Step(decoder, capacity, recompute: false);
        var again = Step(decoder, capacity, recompute: true);

        kept.Gradients.Zip(again.Gradients, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-5f);
        again.Outcome.Counts.ShouldBe(kept.Outcome.Counts);
        kept.Outcome.ExpertsPerToken!.Value.ShouldBeInRange(1.01, 1.99);
        kept.Outcome.ExpertsPerToken.ShouldBe(kept.Outcome.Counts.Sum(layer => layer.Sum()) / (42.0 * decoder.Config.Layers));
    }

    [Fact]
    public void RouterEntropy_OfKnownLogits_IsTheMeanOverTokensAndLayers()
    {
        using var scope = NewDisposeScope();
        var even = zeros(3, 8);
        var sure = zeros(3, 8);
        sure[TensorIndex.Colon, 2] = 100f;

        Losses.RouterEntropy([Trace(even)]).item<float>().ShouldBe(MathF.Log(8), 1e-5f);
        Losses.RouterEntropy([Trace(even), Trace(sure)]).item<float>().ShouldBe(MathF.Log(8) / 2, 1e-5f);

        static RoutingTrace Trace(Tensor logits) => new(0, logits, logits, logits, zeros(3, 1, dtype: int64), zeros(3, 1));
    }

    /// <summary>The gradient of the entropy by the logits is -p (ln p + H), and moves the router.</summary>
    [Fact]
    public void Step_EntropyLoss_IsInTheGradient()
    {
        using var scope = NewDisposeScope();
        var logits = tensor(new[] { 0.5f, -1f, 2f }, [1, 3], requires_grad: true);
        var trace = new RoutingTrace(0, logits, logits, logits, zeros(1, 1, dtype: int64), zeros(1, 1));

        Losses.RouterEntropy([trace]).backward();

        var z = new[] { 0.5, -1, 2 };
        var p = z.Select(v => Math.Exp(v) / z.Sum(Math.Exp)).ToArray();
        var entropy = -p.Sum(q => q * Math.Log(q));
        logits.grad!.data<float>().ToArray().ShouldBe(p.Select(q => (float)(-q * (Math.Log(q) + entropy))), 1e-5f);
        using var decoder = FusedModels.Create("plain");
        var (without, with) = (Step(decoder, null, recompute: false, entropy: 0), Step(decoder, null, recompute: false, entropy: 0.5));
        var again = Step(decoder, null, recompute: true, entropy: 0.5);
        with.Gradients.Zip(without.Gradients, (a, b) => Math.Abs(a - b)).Max().ShouldBeGreaterThan(1e-3f);
        with.Gradients.Zip(again.Gradients, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-5f);
    }

    [Fact]
    public void Config_TopPAndElastic_SurviveTheFile()
    {
        var config = ModelConfig.Tiny() with { TopP = 0.4, Elastic = new ElasticExperts(1, 3) };

        var read = ModelConfig.Parse(config.ToJson());

        read.TopP.ShouldBe(0.4);
        read.Elastic.ShouldBe(new ElasticExperts(1, 3));
        var text = Encoding.UTF8.GetString((read with { TopP = null, Elastic = null }).ToJson());
        text.ShouldNotContain("top-p");
        text.ShouldNotContain("elastic");
    }

    [Theory]
    [InlineData("""{"top-p":1.5}""", "'espalier.top-p' is 1.5")]
    [InlineData("""{"top-p":0.5,"score-function":"sigmoid"}""", "'espalier.top-p' adds up probabilities")]
    [InlineData("""{"top-p":0.5,"routing":"sibling-exclusive","sibling-groups":[[0,1,0,1],[0,1,0,1]]}""", "does not go with espalier.routing")]
    [InlineData("""{"elastic":{"least":1}}""", "'espalier.elastic.most' is missing")]
    public void Parse_KeysThatDoNotFit_AreNamed(string keys, string expected)
    {
        var json = Encoding.UTF8.GetString(ModelConfig.Tiny().ToJson());
        var changed = json[..json.LastIndexOf('}')] + $$""", "espalier": {{keys}} }""";

        Should.Throw<InvalidModelException>(() => ModelConfig.Parse(Encoding.UTF8.GetBytes(changed))).Message.ShouldContain(expected);
    }

    private static (StepOutcome Outcome, float[] Gradients) Step(MoeDecoder decoder, double? capacity, bool recompute, double entropy = 0.1)
    {
        using var optimizer = new GradientRecorder(decoder.Buffer);
        decoder.Buffer.RequireGradients();
        var settings = new TrainerSettings { Balance = BalanceMethod.None, Recompute = recompute, Capacity = capacity, RouterEntropyCoefficient = entropy };
        var outcome = new DecoderTrainer(decoder, optimizer, settings).Step([FusedModels.Batch("plain")], 0);
        return (outcome, optimizer.Gradients);
    }
}
