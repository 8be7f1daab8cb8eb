using Espalier.CptTrainer.Options;
using Espalier.CptTrainer.Training;
using Espalier.Modeling;
using Espalier.Modeling.Checkpoints;
using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Tests;

/// <summary>Frozen-out replicas come as near to their sources as the documented ramp says, whatever balancing does meanwhile.</summary>
public sealed class RoutingRampTests
{
    private const float Distance = 1.04f;

    [Theory]
    [InlineData(0f)]
    [InlineData(5f)] // published selection biases are not centred
    public void Apply_WithLossFreeBalancing_KeepsTheDistanceOfTheRamp(float centre)
    {
        using var decoder = Grown(centre);
        var options = new TrainOptions { Tokens = 100 * 16, Batch = 1, Length = 16, ReplicaRamp = 100 * 16 };
        using var ramp = new RoutingRamp(decoder, options, TrainPlan.Of(options));
        using var optimizer = new AdamW(decoder.Buffer);
        var trainer = new DecoderTrainer(decoder, optimizer, new TrainerSettings { BalanceRate = 0.01 }) { HeldBack = ramp.HeldBack };

        for (var step = 0; step <= 10; step++)
        {
            using var scope = NewDisposeScope();
            ramp.Apply(decoder, step);
            if (step is 0 or 10)
                Distances(decoder.SelectionBias(0)!).ShouldAllBe(distance => Math.Abs(distance - Distance * (1 - step / 100f)) < 1e-5f);
            if (step == 10) // the router's bias is 60 (1 - t) below its source's, which training moves
                Distances(decoder.RouterBias(0)!).ShouldAllBe(distance => Math.Abs(distance - 54) < 1e-3f);
            trainer.Step([randint(0, 250, [1, 17], dtype: int64, generator: new Generator((ulong)step))], 1e-2);
        }
    }

    [Fact]
    public void HeldBack_AfterTheRamp_IsNothing()
    {
        using var decoder = Grown(0);
        var options = new TrainOptions { Tokens = 100 * 16, Batch = 1, Length = 16, ReplicaRamp = 10 * 16 };
        using var ramp = new RoutingRamp(decoder, options, TrainPlan.Of(options));

        ramp.Apply(decoder, 10);
        ramp.HeldBack(0).ShouldBe([false, false, true, true]);
        Distances(decoder.SelectionBias(0)!).ShouldAllBe(distance => distance == 0);
        ramp.Apply(decoder, 12);

        ramp.HeldBack(0).ShouldBeNull();
    }

    private static IEnumerable<float> Distances(Tensor bias)
    {
        var values = bias.detach().data<float>().ToArray();
        return [values[0] - values[2], values[1] - values[3]];
    }

    // Two experts and a frozen-out replica of each.
    private static MoeDecoder Grown(float centre)
    {
        IReadOnlyList<int> groups = [0, 1, 0, 1];
        var config = ModelConfig.Tiny() with { ExpertsPerToken = 1, SiblingGroups = [groups, groups], MaxPositions = 64 };
        using var plain = MoeDecoder.Create(config, 1);
        var weights = new GrownWeights(plain, centre);
        return MoeDecoder.Load(config, weights);
    }

    private sealed class GrownWeights(MoeDecoder plain, float centre) : IWeightSource
    {
        private readonly Dictionary<string, Tensor> _tensors = plain.ExportWeights().Select(weight => (weight.Name, weight.Value))
            .Concat(Enumerable.Range(0, 2).SelectMany(layer => ((string Name, Tensor Value)[])
            [
                (TensorNames.RouterBias(layer), tensor([0f, 0f, -60f, -60f])),
                (TensorNames.SelectionBias(layer), tensor([centre + 0.1f, centre - 0.1f, centre + 0.1f - Distance, centre - 0.1f - Distance])),
            ])).ToDictionary(entry => entry.Item1, entry => entry.Item2);

        public IReadOnlyCollection<string> Names => _tensors.Keys;

        public WeightHeader Describe(string name) => new(_tensors[name].dtype, _tensors[name].shape);

        public Tensor Read(string name) => _tensors[name].clone();
    }
}
