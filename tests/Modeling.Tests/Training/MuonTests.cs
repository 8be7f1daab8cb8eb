using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

public sealed class MuonTests
{
    [Theory]
    [InlineData(24, 64)]
    [InlineData(64, 24)]
    public void Orthogonalize_RandomMatrices_BringsSingularValuesNearOne(long rows, long columns)
    {
        using var scope = NewDisposeScope();
        var matrices = randn([3, rows, columns], generator: RandomStream.For(1, "m")) * 7;

        var values = linalg.svdvals(NewtonSchulz.Orthogonalize(matrices));

        values.min().item<float>().ShouldBeGreaterThan(0.6f);
        values.max().item<float>().ShouldBeLessThan(1.3f);
    }

    [Fact]
    public void Orthogonalize_OrthogonalMatrix_KeepsItsDirections()
    {
        using var scope = NewDisposeScope();
        var (orthogonal, _) = linalg.qr(randn([16, 16], generator: RandomStream.For(1, "q")));

        var result = NewtonSchulz.Orthogonalize(orthogonal.unsqueeze(0))[0];

        var product = result.mm(orthogonal.t()); // a multiple of the identity
        var diagonal = product.diagonal();
        diagonal.min().item<float>().ShouldBeGreaterThan(0.6f);
        diagonal.max().item<float>().ShouldBeLessThan(1.3f);
        (product - diag(diagonal)).abs().max().item<float>().ShouldBeLessThan(1e-4f);
    }

    [Fact]
    public void Step_TwoSteps_FollowTheFormula()
    {
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        using var optimizer = new Muon(decoder.Buffer, new AdamWSettings(WeightDecay: 0.1), new StochasticRounding(0));
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var experts = decoder.Parameters.Single(p => p.Name == TensorNames.ExpertsGateUp(0)).Value; // (4, 2 x 24, 32)
        var expected = experts.clone();
        var gradient = randn(experts.shape, generator: RandomStream.For(1, "g"));
        var up = expected[2].narrow(0, 24, 24);
        var momentum = zeros(24, 32);

        for (var step = 0; step < 2; step++)
        {
            experts.grad!.copy_(gradient);
            optimizer.Step(0.01, gradientClip: 0);
            var g = gradient[2].narrow(0, 24, 24);
            momentum = momentum * 0.95 + g;
            var direction = NewtonSchulz.Orthogonalize((g + momentum * 0.95).unsqueeze(0))[0];
            up.mul_(1 - 0.01 * 0.1).sub_(direction * (0.01 * 0.2 * Math.Sqrt(32)));
        }

        (experts[2].narrow(0, 24, 24) - up).abs().max().item<float>().ShouldBeLessThan(1e-5f);
        decoder.Buffer.Gradients!.count_nonzero().item<long>().ShouldBe(0);
    }

    [Fact]
    public void Step_EmbeddingsAndRouters_AreAdamWs()
    {
        var byMuon = Step(decoder => new Muon(decoder.Buffer, new AdamWSettings(), new StochasticRounding(0)));
        var byAdamW = Step(decoder => new AdamW(decoder.Buffer));

        byMuon.Keys.Where(name => byMuon[name] == byAdamW[name]).ShouldBe(
            byMuon.Keys.Where(name => WeightKinds.IsEmbedding(name) || WeightKinds.IsRouter(name) || WeightKinds.IsNorm(name)));

        static Dictionary<string, string> Step(Func<MoeDecoder, IOptimizer> create)
        {
            using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 1);
            using var optimizer = create(decoder);
            using var untracked = no_grad();
            decoder.Buffer.Gradients!.copy_(randn(decoder.Buffer.Values.numel(), generator: RandomStream.For(1, "g")));
            optimizer.Step(0.01, 1);
            return decoder.Parameters.ToDictionary(p => p.Name, p => Convert.ToHexString(p.Value.detach().bytes));
        }
    }

    [Fact]
    public void Step_FrozenExpert_StaysAndOthersHaveTheirRates()
    {
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        var experts = decoder.Parameters.Single(p => p.Name == TensorNames.ExpertsDown(0)); // (4, 32, 24)
        var size = 32 * 24;
        using var optimizer = new Muon(decoder.Buffer, new AdamWSettings(WeightDecay: 0), new StochasticRounding(0))
        {
            Frozen = [new BufferRange(experts.Range.First, size)], Rates = [new RatedRange(experts.Range.First + size, size, 3)],
        };
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var before = experts.Value.clone();
        experts.Value.grad!.copy_(randn([1, 32, 24], generator: RandomStream.For(1, "g")).expand(4, 32, 24));

        optimizer.Step(0.01, 0);

        var moved = (experts.Value - before).square().sum([1, 2]).sqrt_().data<float>().ToArray();
        moved[0].ShouldBe(0);
        (moved[1] / moved[2]).ShouldBe(3, 1e-3f);
        moved[3].ShouldBe(moved[2], 1e-4f);
    }

    [Fact]
    public void State_OfAMatrix_IsOneMoment()
    {
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        using var optimizer = new Muon(decoder.Buffer, new AdamWSettings(), new StochasticRounding(0));

        KindsOf(TensorNames.ExpertsDown(0)).ShouldBe(["exp_avg"]);
        KindsOf(TensorNames.Embedding).ShouldBe(["exp_avg", "exp_avg_sq"]);

        List<string> KindsOf(string name)
        {
            var kinds = new List<string>();
            foreach (var (kind, value) in optimizer.State(decoder.Parameters.Single(p => p.Name == name)))
            {
                value.Dispose();
                kinds.Add(kind);
            }
            return kinds;
        }
    }
}
