using Espalier.Modeling.Training;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

public sealed class PruningMasksTests
{
    private static readonly ModelConfig Config = ModelConfig.Tiny();

    /// <summary>Sorting by magnitude, then place, in plain arithmetic.</summary>
    [Theory]
    [InlineData(PrunedWeights.Experts, 0.3)]
    [InlineData(PrunedWeights.Matrices, 0.5)]
    public void Prune_Weights_TakesTheLeastOfEachMatrix(PrunedWeights weights, double share)
    {
        using var decoder = MoeDecoder.Create(Config, 3);
        var before = Matrices(decoder);
        using var masks = new PruningMasks(decoder.Buffer, weights, PrunedUnit.Weight);

        masks.Prune(share);

        foreach (var (name, after) in Matrices(decoder))
        {
            var isPruned = name.Contains(".mlp.experts.") || weights == PrunedWeights.Matrices && name.Contains("self_attn") && !name.EndsWith("norm.weight");
            var order = Enumerable.Range(0, after.Length).OrderBy(i => Math.Abs(before[name][i])).ThenBy(i => i).ToList();
            var pruned = order.Take(isPruned ? (int)Math.Round(share * after.Length, MidpointRounding.AwayFromZero) : 0).ToHashSet();
            after.ShouldBe(before[name].Select((value, i) => pruned.Contains(i) ? 0 : value));
        }
        masks.Share.ShouldBe(share, 0.005);
    }

    [Fact]
    public void Prune_Further_KeepsWhatWasPruned()
    {
        using var decoder = MoeDecoder.Create(Config, 3);
        using var masks = new PruningMasks(decoder.Buffer, PrunedWeights.Experts, PrunedUnit.Weight);
        masks.Prune(0.25);
        var first = ZerosOf(decoder);
        using (no_grad())
            decoder.Buffer.Values.mul_(0); // all alike, so that places alone would decide

        masks.Prune(0.5);

        masks.Share.ShouldBe(0.5, 0.005);
        using (no_grad())
            decoder.Buffer.Values.fill_(1);
        masks.Apply();
        first.IsSubsetOf(ZerosOf(decoder)).ShouldBeTrue();
    }

    [Fact]
    public void Prune_Neurons_TakesWholeOnesWithTheLeastProductOfNorms()
    {
        using var decoder = MoeDecoder.Create(Config, 3);
        var before = Matrices(decoder);
        using var masks = new PruningMasks(decoder.Buffer, PrunedWeights.Experts, PrunedUnit.Neuron);

        masks.Prune(0.25); // of 24: 6
        masks.Prune(0.5);

        var after = Matrices(decoder);
        foreach (var layer in Config.SparseLayers)
        {
            for (var expert = 0; expert < Config.Experts; expert++)
            {
                double Norm(string projection, int neuron) => Math.Sqrt(Neuron(before, layer, expert, projection, neuron).Sum(value => (double)value * value));
                var kept = Enumerable.Range(0, Config.ExpertSize)
                    .OrderByDescending(neuron => Norm("gate", neuron) * Norm("up", neuron) * Norm("down", neuron)).Take(Config.ExpertSize / 2).ToHashSet();
                for (var neuron = 0; neuron < Config.ExpertSize; neuron++)
                {
                    foreach (var projection in (string[])["gate", "up", "down"])
                    {
                        var expected = Neuron(before, layer, expert, projection, neuron).Select(value => kept.Contains(neuron) ? value : 0);
                        Neuron(after, layer, expert, projection, neuron).ShouldBe(expected);
                    }
                }
            }
        }
    }

    /// <summary>Neither the norm nor the moments see what is pruned, and no update brings it back.</summary>
    [Theory]
    [InlineData(OptimizerNames.AdamW)]
    [InlineData(OptimizerNames.Muon)]
    public void Step_PrunedWeights_StayZeroAndCountNowhere(string name)
    {
        using var decoder = MoeDecoder.Create(Config, 3);
        using IOptimizer optimizer = name == OptimizerNames.Muon ? new Muon(decoder.Buffer, new AdamWSettings(), new StochasticRounding(0))
            : new AdamW(decoder.Buffer);
        using var masks = new PruningMasks(decoder.Buffer, PrunedWeights.Experts, PrunedUnit.Weight);
        var trainer = new DecoderTrainer(decoder, optimizer, new TrainerSettings()) { Masks = masks };
        using var batch = randint(0, 64, [2, 9], dtype: int64, generator: RandomStream.For(1, "batch"));
        masks.Prune(0.5);
        var pruned = ZerosOf(decoder);
        trainer.Step([batch.clone()], 0.01); // what is kept from the first step on
        var live = LiveTensors.CountSettled();

        for (var step = 1; step < 4; step++)
            trainer.Step([batch.clone()], 0.01, step: step);

        LiveTensors.Count.ShouldBe(live);
        ZerosOf(decoder).IsSupersetOf(pruned).ShouldBeTrue();
        foreach (var parameter in decoder.Parameters.Where(parameter => masks.Of(parameter) is not null))
        {
            using var moments = optimizer.Moments(Moment.First, parameter.Range)!;
            using var scope = NewDisposeScope();
            moments.masked_select(masks.Of(parameter)!.flatten()).abs().sum().item<float>().ShouldBe(0);
            moments.abs().sum().item<float>().ShouldBeGreaterThan(0);
        }
    }

    [Theory]
    [InlineData(PrunedWeights.Experts)]
    [InlineData(PrunedWeights.FeedForward)]
    [InlineData(PrunedWeights.Matrices)]
    public void WeightsOf_AnyMatrices_AreThoseOfTheMasks(PrunedWeights weights)
    {
        var shared = Config with { Family = "qwen2-moe", SharedSize = 16, SharedGate = true };
        using var decoder = MoeDecoder.Create(shared, 3);
        using var masks = new PruningMasks(decoder.Buffer, weights, PrunedUnit.Weight);

        var masked = decoder.Parameters.Where(parameter => masks.Of(parameter) is not null).ToList();

        masked.Sum(parameter => parameter.Value.numel()).ShouldBe(PrunedMatrices.WeightsOf(shared, weights));
        masked.ShouldAllBe(parameter => parameter.Decays && !parameter.Name.Contains(".mlp.gate.") && !parameter.Name.Contains("shared_expert_gate"));
        masked.Any(parameter => parameter.Name.Contains("shared_expert.")).ShouldBe(weights != PrunedWeights.Experts);
    }

    private static Dictionary<string, float[]> Matrices(MoeDecoder decoder)
    {
        var matrices = new Dictionary<string, float[]>();
        foreach (var (name, value) in decoder.ExportWeights())
        {
            using (value)
            using (var copy = value.contiguous().clone())
                matrices[name] = copy.data<float>().ToArray();
        }
        return matrices;
    }

    private static IEnumerable<float> Neuron(Dictionary<string, float[]> weights, int layer, int expert, string projection, int neuron)
    {
        var matrix = weights[TensorNames.Expert(layer, expert, projection)];
        return projection == "down" ? Enumerable.Range(0, Config.HiddenSize).Select(row => matrix[row * Config.ExpertSize + neuron])
            : matrix.Skip(neuron * Config.HiddenSize).Take(Config.HiddenSize);
    }

    private static HashSet<(string, int)> ZerosOf(MoeDecoder decoder) =>
        [.. Matrices(decoder).Where(pair => pair.Key.Contains(".mlp.experts.")).SelectMany(
            pair => Enumerable.Range(0, pair.Value.Length).Where(i => pair.Value[i] == 0).Select(i => (pair.Key, i)))];
}
