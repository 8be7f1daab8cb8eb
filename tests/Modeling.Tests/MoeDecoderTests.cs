using Espalier.Modeling.Training;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests;

public sealed class MoeDecoderTests
{
    private static readonly IReadOnlyList<IReadOnlyList<int>> Pairs = [[0, 1, 0, 1, 2, 2], [0, 1, 2, 0, 0, 1]];

    public static TheoryData<string> Variants =>
        ["plain", "normalized", "sigmoid", "clipped", "tied", "grouped-query", "wide-heads", "biased", "siblings", "all-experts"];

    [Theory]
    [MemberData(nameof(Variants))]
    public void Forward_AnyVariant_EqualsTheFormulas(string variant)
    {
        using var decoder = Create(variant);
        var tokens = Models.Tokens(11, seed: 3);

        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var output = decoder.Forward(tensor(tokens).unsqueeze(0));
        var reference = ReferenceDecoder.Of(decoder);
        var expected = reference.Forward(tokens);

        var logits = output.Logits.contiguous().data<float>().ToArray();
        logits.Zip(expected.SelectMany(row => row), (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-4);
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
        {
            output.Routing[layer].Selected.data<long>().ToArray().ShouldBe(reference.Selected[layer].SelectMany(row => row).Select(e => (long)e));
            output.Routing[layer].Counts.Sum().ShouldBe(tokens.Length * decoder.Config.ExpertsPerToken);
        }
    }

    [Fact]
    public void Forward_BatchOfSequences_EqualsEachAlone()
    {
        using var decoder = Create("siblings");
        var (first, second) = (Models.Tokens(9, seed: 1), Models.Tokens(9, seed: 2));

        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var together = decoder.Forward(tensor([.. first, .. second], [2, 9])).Logits.contiguous().data<float>().ToArray();

        Models.Distance(together, Models.Logits(decoder, first).Concat(Models.Logits(decoder, second))).ShouldBeLessThan(2e-5);
    }

    [Fact]
    public void RunLayer_OneByOne_EqualsForward()
    {
        using var decoder = Models.Tiny(5);
        var tokens = Models.Tokens(8, seed: 4);

        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var hidden = decoder.Embed(tensor(tokens).unsqueeze(0));
        for (var layer = 0; layer < decoder.Config.Layers; layer++)
            hidden = decoder.RunLayer(layer, hidden);

        Models.Distance(decoder.Head(hidden).contiguous().data<float>().ToArray(), Models.Logits(decoder, tokens)).ShouldBe(0);
    }

    [Fact]
    public void Forward_BFloat16Compute_StaysClose()
    {
        using var decoder = Models.Tiny(6, config => config with { InitializerRange = 0.1 });
        var tokens = Models.Tokens(16, seed: 5);
        var exact = Models.Logits(decoder, tokens);

        decoder.ComputeType = ScalarType.BFloat16;
        var rounded = Models.Logits(decoder, tokens);

        Models.Distance(exact, rounded).ShouldBeInRange(1e-6, 0.05 * exact.Max(Math.Abs));
    }

    [Fact]
    public void Forward_TiedRouterRows_LowerExpertWins()
    {
        using var decoder = Models.Tiny(7);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        foreach (var parameter in decoder.Parameters.Where(p => p.Name.EndsWith("mlp.gate.weight", StringComparison.Ordinal)))
            parameter.Value.zero_();

        var output = decoder.Forward(tensor(Models.Tokens(5, seed: 6)).unsqueeze(0));

        output.Routing[1].Selected.data<long>().ToArray().ShouldBe([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    }

    [Fact]
    public void Forward_SiblingExclusiveCopies_EqualsSource()
    {
        using var source = Models.Tiny(8);
        using var weights = MemoryWeights.Of(source);
        var grown = GrowByCopy(source.Config, weights, copies: 2);

        using var decoder = MoeDecoder.Load(grown, weights);
        var tokens = Models.Tokens(24, seed: 7);

        Models.Distance(Models.Logits(decoder, tokens), Models.Logits(source, tokens)).ShouldBeLessThan(1e-5);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        decoder.Forward(tensor(tokens).unsqueeze(0)).Routing[0].Counts.ShouldAllBe(count => count > 0);
    }

    [Fact]
    public void Forward_FreeRoutingOfCopies_DiffersFromSource()
    {
        using var source = Models.Tiny(8);
        using var weights = MemoryWeights.Of(source);
        var grown = GrowByCopy(source.Config, weights, copies: 2) with { SiblingExclusive = false };

        using var decoder = MoeDecoder.Load(grown, weights);
        var tokens = Models.Tokens(24, seed: 7);

        Models.Distance(Models.Logits(decoder, tokens), Models.Logits(source, tokens)).ShouldBeGreaterThan(1e-2);
    }

    [Fact]
    public void Forward_Observer_SeesRoutedSharesAndReplacesOutputs()
    {
        using var decoder = Models.Tiny(9);
        var tokens = Models.Tokens(10, seed: 8);
        var observer = new SilencingObserver();

        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        decoder.Forward(tensor(tokens).unsqueeze(0), observer);

        observer.Routed.ShouldBe(2 * 10 * decoder.Config.ExpertsPerToken);
        observer.LargestBlockOutput.ShouldBe(0);
        observer.Attentions.ShouldBe(2);
    }

    [Fact]
    public void Forward_ManyTimes_LeavesNoTensors()
    {
        using var decoder = Models.Tiny(10);
        decoder.Buffer.RequireGradients();
        var tokens = Models.Tokens(10, seed: 9);
        Step();
        var before = LiveTensors.CountSettled();

        for (var i = 0; i < 3; i++)
            Step();

        LiveTensors.Count.ShouldBe(before);

        void Step()
        {
            using var scope = NewDisposeScope();
            var output = decoder.Forward(tensor(tokens).unsqueeze(0));
            Losses.CrossEntropy(output.Logits, tensor(tokens)).backward();
        }
    }

    [Fact]
    public void Gradients_EveryParameter_MatchFiniteDifferences()
    {
        using var decoder = Models.Tiny(11, config => config with { NormalizeTopK = true });
        decoder.Buffer.RequireGradients();
        var (tokens, targets) = (Models.Tokens(7, seed: 10), Models.Tokens(7, seed: 11));
        using (NewDisposeScope())
            Loss(tracked: true).backward();

        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        foreach (var parameter in decoder.Parameters)
        {
            var gradient = decoder.Buffer.Gradients!.narrow(0, parameter.Value.storage_offset(), parameter.Value.numel());
            var direction = gradient / (gradient.norm() + 1e-12);
            var flat = parameter.Value.detach().flatten();
            const double Step = 2e-3;
            flat.add_(direction * Step);
            var above = Loss(tracked: false).to(float64).item<double>();
            flat.add_(direction * (-2 * Step));
            var below = Loss(tracked: false).to(float64).item<double>();
            flat.add_(direction * Step);

            var slope = gradient.norm().item<float>();
            ((above - below) / (2 * Step)).ShouldBe(slope, Math.Max(2e-3, 0.03 * slope), parameter.Name);
        }

        Tensor Loss(bool tracked)
        {
            using var inner = NewDisposeScope();
            using var mode = set_grad_enabled(tracked);
            return Losses.CrossEntropy(decoder.Forward(tensor(tokens).unsqueeze(0)).Logits, tensor(targets)).MoveToOuterDisposeScope();
        }
    }

    [Fact]
    public void Create_SameSeed_SameWeights()
    {
        using var first = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        using var second = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        using var other = MoeDecoder.Create(ModelConfig.Tiny(), 2);

        first.Buffer.Values.bytes.SequenceEqual(second.Buffer.Values.bytes).ShouldBeTrue();
        first.Buffer.Values.bytes.SequenceEqual(other.Buffer.Values.bytes).ShouldBeFalse();
    }

    [Fact]
    public void TotalParameters_Counted_EqualTheTensors()
    {
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 1);

        decoder.Parameters.Sum(p => p.Value.numel()).ShouldBe(decoder.Config.TotalParameters);
        decoder.Config.ActiveParameters.ShouldBe(decoder.Config.TotalParameters - 2 * 2 * 3 * 32 * 24);
    }

    private static MoeDecoder Create(string variant)
    {
        if (variant is "biased" or "siblings")
            return WithBiases(siblings: variant == "siblings");
        return Models.Tiny(1, config => variant switch
        {
            "normalized" => config with { NormalizeTopK = true },
            "sigmoid" => config with { ScoreFunction = ScoreFunction.Sigmoid, NormalizeTopK = true },
            "clipped" => config with { ClipQkv = 0.4 },
            "tied" => config with { TieEmbeddings = true },
            "grouped-query" => config with { KeyValueHeads = 2 },
            "wide-heads" => config with { HeadSize = 12, RopeTheta = 500 },
            "all-experts" => config with { ExpertsPerToken = 4 },
            _ => config,
        });
    }

    private static MoeDecoder WithBiases(bool siblings)
    {
        using var source = Models.Tiny(2, config => config with { Experts = 6, SiblingGroups = Pairs, SiblingExclusive = siblings });
        using var weights = MemoryWeights.Of(source);
        for (var layer = 0; layer < 2; layer++)
        {
            weights.Replace(TensorNames.RouterBias(layer), randn(6, generator: RandomStream.For(2, $"b{layer}")));
            weights.Replace(TensorNames.SelectionBias(layer), randn(6, generator: RandomStream.For(2, $"beta{layer}")) * 0.1);
        }
        return MoeDecoder.Load(source.Config, weights);
    }

    private static ModelConfig GrowByCopy(ModelConfig config, MemoryWeights weights, int copies)
    {
        using var scope = NewDisposeScope();
        for (var layer = 0; layer < config.Layers; layer++)
        {
            for (var expert = config.Experts; expert < copies * config.Experts; expert++)
            {
                foreach (var projection in (string[])["gate", "up", "down"])
                    weights.Replace(
                        TensorNames.Expert(layer, expert, projection), weights.Read(TensorNames.Expert(layer, expert % config.Experts, projection)));
            }
            weights.Replace(TensorNames.Router(layer), weights.Read(TensorNames.Router(layer)).repeat(copies, 1));
        }
        IReadOnlyList<int> groups = [.. Enumerable.Range(0, copies * config.Experts).Select(e => e % config.Experts)];
        return config with { Experts = copies * config.Experts, SiblingGroups = [.. Enumerable.Repeat(groups, config.Layers)], SiblingExclusive = true };
    }

    private sealed class SilencingObserver : IMoeObserver
    {
        public long Routed { get; private set; }

        public int Attentions { get; private set; }

        public float LargestBlockOutput { get; private set; }

        public void OnAttention(AttentionTrace trace) => Attentions++;

        public Tensor OnExpert(ExpertTrace trace)
        {
            trace.Tokens.shape[0].ShouldBe(trace.Hidden.shape[0]);
            trace.Gates.shape.ShouldBe(trace.Tokens.shape);
            Routed += trace.Tokens.shape[0];
            return zeros_like(trace.Output);
        }

        public void OnBlock(int layer, Tensor residual, Tensor output) =>
            LargestBlockOutput = Math.Max(LargestBlockOutput, output.abs().max().item<float>());
    }
}
