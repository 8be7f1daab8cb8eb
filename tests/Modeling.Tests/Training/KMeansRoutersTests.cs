using Espalier.Modeling.Training;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

public sealed class KMeansRoutersTests
{
    private static readonly ModelConfig Config = ModelConfig.Tiny();

    /// <summary>a = 1/4. Expert 0: 3/4 (4, 0) + 1/4 mean((2, 2), (0, 2)); expert 1: 3/4 (0, 1) + 1/4 (2, 2); 2 and 3 stay.</summary>
    [Fact]
    public void Update_HandMadeTokensOfTwoBatches_MovesMeansByTheRule()
    {
        using var decoder = MoeDecoder.Create(Config, 3);
        using var routers = new KMeansRouters(decoder, 0.25);
        using var scope = NewDisposeScope();
        var means = routers.Means.Single(pair => pair.Layer == 1).Means;
        means.copy_(Wide(new float[,] { { 4, 0 }, { 0, 1 }, { -3, 4 }, { 1, 1 } }));

        routers.OnRouting(Trace(new float[,] { { 2, 2 } }, new long[,] { { 0, 1 } }));
        routers.OnRouting(Trace(new float[,] { { 0, 2 } }, new long[,] { { 0, 2 } }, new[] { true, false }));
        routers.Update();
        var first = Two(means);
        routers.Update(); // nothing was seen since

        first.ShouldBe([3.25f, 0.5f, 0.5f, 1.25f, -3, 4, 1, 1]);
        Two(means).ShouldBe(first);
        var rows = Two(Router(decoder, 1));
        rows[4..6].ShouldBe([-0.6f, 0.8f], 1e-6f);
        rows[0].ShouldBe(3.25f / MathF.Sqrt(3.25f * 3.25f + 0.25f), 1e-6f);
        Enumerable.Range(0, 4).ShouldAllBe(e => Math.Abs(rows[2 * e] * rows[2 * e] + rows[2 * e + 1] * rows[2 * e + 1] - 1) < 1e-6);
    }

    [Fact]
    public void Discard_TokensOfASkippedStep_MoveNothing()
    {
        using var decoder = MoeDecoder.Create(Config, 3);
        using var routers = new KMeansRouters(decoder, 0.5);
        using var scope = NewDisposeScope();
        var means = routers.Means.Last().Means.fill_(1);

        routers.OnRouting(Trace(new float[,] { { 2, 2 } }, new long[,] { { 0, 1 } }));
        routers.Discard();
        routers.Update();

        means.eq(1).all().item<bool>().ShouldBeTrue();
    }

    /// <summary>Experts are those of the largest cosine, by plain arithmetic, and logits are |x| cos.</summary>
    [Fact]
    public void Begin_Seeds_ChoosesByTheCosineOfTokensAndMeans()
    {
        using var decoder = MoeDecoder.Create(Config, 3);
        using var routers = new KMeansRouters(decoder, 0.1);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var tokens = Tokens(2, 12);

        routers.Begin(tokens, RouterStart.Seeds, 5);

        foreach (var trace in decoder.Forward(tokens).Routing)
        {
            var means = routers.Means.Single(pair => pair.Layer == trace.Layer).Means;
            for (var token = 0; token < trace.Input.shape[0]; token++)
            {
                var cosines = Enumerable.Range(0, Config.Experts).Select(e => Cosine(trace.Input[token], means[e])).ToArray();
                var best = Enumerable.Range(0, Config.Experts).OrderByDescending(e => cosines[e]).Take(Config.ExpertsPerToken).Select(e => (long)e);
                trace.Selected[token].data<long>().ToArray().ShouldBe(best);
                var length = Math.Sqrt(trace.Input[token].square().sum().item<float>());
                trace.Logits[token].data<float>().ToArray().Select(z => (double)z).ShouldBe(cosines.Select(cosine => cosine * length), 1e-4);
            }
        }
        // Each mean is a token of the batch, of its layer as the layers below make it.
        var inputs = decoder.Forward(tokens).Routing[^1].Input;
        var last = routers.Means.Last().Means;
        for (var expert = 0; expert < Config.Experts; expert++)
            (inputs - last[expert]).abs().amax(-1).min().item<float>().ShouldBeLessThan(1e-5f);
    }

    [Fact]
    public void Begin_Tokens_TakesTheMeansOfWhatLearnedRoutersChose()
    {
        using var decoder = MoeDecoder.Create(Config, 3);
        using var routers = new KMeansRouters(decoder, 0.1);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var tokens = Tokens(2, 12);
        var trace = decoder.Forward(tokens).Routing[0];

        routers.Begin(tokens, RouterStart.Tokens, 5);

        var chosen = trace.SelectedByToken();
        for (var expert = 0; expert < Config.Experts; expert++)
        {
            var own = Enumerable.Range(0, chosen.Count).Where(token => chosen[token].Contains(expert)).Select(token => trace.Input[token]).ToList();
            own.ShouldNotBeEmpty();
            var mean = stack(own).mean([0]);
            (routers.Means.First().Means[expert] - mean).abs().max().item<float>().ShouldBeLessThan(1e-5f);
        }
    }

    [Fact]
    public void Begin_Rows_KeepsTheRouters()
    {
        using var decoder = MoeDecoder.Create(Config, 3);
        using var routers = new KMeansRouters(decoder, 0.1);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        routers.Begin(Tokens(2, 12), RouterStart.Seeds, 5);
        var before = decoder.Buffer.Values.clone();
        using var again = new KMeansRouters(decoder, 0.1);

        again.Begin(Tokens(2, 9), RouterStart.Rows, 6);

        (decoder.Buffer.Values - before).abs().max().item<float>().ShouldBeLessThan(1e-6f);
        again.Means.First().Means.square().sum(-1).sqrt().min().item<float>().ShouldBeGreaterThan(1); // as long as means of tokens, not 1
    }

    /// <summary>What the experts learn is what they learn with the same routers fixed; no gradient moves a router, and no tensor is left.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_KMeansRouters_TrainsTheRestAsFixedRoutersDo(bool recompute)
    {
        using var followed = MoeDecoder.Create(Config, 3);
        using var still = MoeDecoder.Create(Config, 3);
        using var routers = new KMeansRouters(followed, 0.1);
        using var tokens = Tokens(2, 13);
        routers.Begin(tokens, RouterStart.Seeds, 5);
        using (no_grad())
            still.Buffer.Values.copy_(followed.Buffer.Values);
        var settings = new TrainerSettings { Recompute = recompute, FollowsTokens = true };
        using var optimizer = new AdamW(followed.Buffer) { Frozen = Routers(followed) };
        using var twin = new AdamW(still.Buffer) { Frozen = Routers(still) };
        var trainer = new DecoderTrainer(followed, optimizer, settings);

        trainer.Step([tokens.clone()], 0.01, routers);
        new DecoderTrainer(still, twin, settings).Step([tokens.clone()], 0.01);

        using (NewDisposeScope())
        using (no_grad())
            (followed.Buffer.Values - still.Buffer.Values).abs().max().item<float>().ShouldBe(0);
        routers.Update();
        foreach (var parameter in followed.Parameters)
        {
            using var scope = NewDisposeScope();
            var differs = (parameter.Value - still.Buffer.Views[parameter.Name].Value).abs().max().item<float>() > 0;
            differs.ShouldBe(WeightKinds.IsRouter(parameter.Name));
        }
        var live = LiveTensors.CountSettled();
        trainer.Step([tokens.clone()], 0.01, routers, step: 1);
        routers.Update();
        LiveTensors.Count.ShouldBe(live);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0.24, 1)]
    [InlineData(0.26, 3)]
    [InlineData(0.999, 3)]
    public void Draw_HandMadeChances_FallsOnTheirShares(double share, int expected) => KMeansSeeds.Draw([0, 1, 0, 3, 0], share).ShouldBe(expected);

    [Fact]
    public void Choose_FewDirections_TakesEachOnceAndThenRandomOnes()
    {
        using var scope = NewDisposeScope();
        KMeansSeeds.Draw([0, 0], 0.5).ShouldBeNull();
        var rows = tensor(new float[,] { { 1, 0 }, { 2, 0 }, { 0, 1 }, { 0, 3 }, { -1, 0 } });

        for (var seed = 0; seed < 20; seed++)
        {
            var chosen = KMeansSeeds.Choose(rows, 4, RandomStream.For(seed, "seeds")).data<float>().ToArray().Chunk(2).ToList();

            chosen.Take(3).Select(row => (Math.Sign(row[0]), Math.Sign(row[1]))).ToHashSet().ShouldBe([(1, 0), (0, 1), (-1, 0)], ignoreOrder: true);
            (chosen[3][0] * chosen[3][0] + chosen[3][1] * chosen[3][1]).ShouldBe(1.6f * 1.6f, 1e-4f); // lengths 1, 2, 1, 3, 1
        }
    }

    private static double Cosine(Tensor a, Tensor b) =>
        (a * b).sum().item<float>() / Math.Sqrt((double)a.square().sum().item<float>() * b.square().sum().item<float>());

    private static Tensor Tokens(int sequences, int length) =>
        randint(0, 258, [sequences, length], dtype: int64, generator: RandomStream.For(1, "tokens"));

    private static Tensor Router(MoeDecoder decoder, int layer) => decoder.Buffer.Views[TensorNames.Router(layer)].Value.detach();

    private static List<BufferRange> Routers(MoeDecoder decoder) =>
        [.. decoder.Parameters.Where(parameter => WeightKinds.IsRouter(parameter.Name)).Select(parameter => parameter.Range).OrderBy(range => range.First)];

    // Two numbers a row, and zeros up to the width.
    private static Tensor Wide(float[,] rows) => nn.functional.pad(tensor(rows), [0, Config.HiddenSize - 2]);

    private static float[] Two(Tensor rows) => rows.narrow(1, 0, 2).contiguous().data<float>().ToArray();

    private static RoutingTrace Trace(float[,] input, long[,] selected, bool[]? used = null)
    {
        var (x, chosen) = (Wide(input), tensor(selected));
        return new RoutingTrace(1, x, zeros(x.shape[0], Config.Experts), zeros(x.shape[0], Config.Experts), chosen, ones(chosen.shape))
        {
            Used = used is null ? null : tensor(used, chosen.shape),
        };
    }
}
