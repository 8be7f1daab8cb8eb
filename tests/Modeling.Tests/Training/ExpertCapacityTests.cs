using Espalier.Modeling.Tests.Fused;
using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

public sealed class ExpertCapacityTests
{
    [Theory]
    [InlineData(1.25, 16, 20)]
    [InlineData(1.25, 13, 17)] // 16.25
    [InlineData(1.1, 10, 11)]  // 11.000000000000002 in float64
    [InlineData(0.1, 3, 1)]
    public void Limit_OfAFactor_IsTheEvenShareTimesIt_RoundedUp(double factor, long even, long expected) =>
        ExpertCapacity.Limit([4 * even, 0, 0, 0], factor).ShouldBe(expected);

    [Fact]
    public void DroppedShare_SeveralLayers_IsThatOfAllAssignments()
    {
        ExpertCapacity.DroppedShare([[6, 1, 1], [2, 3, 3]], 1.0).ShouldBe(3 / 16.0); // at most 3 each
        ExpertCapacity.DroppedShare([[6, 1, 1]], null).ShouldBe(0);
    }

    [Fact]
    public void Keep_TooMany_DropsTheSmallestGates_OfEqualOnesTheLater()
    {
        using var scope = NewDisposeScope();
        var selected = tensor([1L, 0, 1, 0, 1, 0, 1, 2]); // four tokens, two choices each
        var gates = tensor([0.5f, 0.1f, 0.9f, 0.2f, 0.5f, 0.2f, 0.5f, 0.3f]);

        var (order, counts) = ExpertCapacity.Keep(selected, gates, [3, 4, 1], 0.75); // at most 2 each

        counts.ShouldBe([2, 2, 1]);
        order.data<long>().ToArray().ShouldBe([3L, 5, 0, 2, 7]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_NoExpertAboveItsCapacity_IsTheDroplessStep(bool recompute)
    {
        using var scope = NewDisposeScope();
        using var decoder = FusedModels.Create("normalized");
        decoder.UsesKernels = false;

        var limited = Step(decoder, 4, recompute);
        var dropless = Step(decoder, null, recompute);

        limited.Gradients.ShouldBe(dropless.Gradients);
        limited.Outcome.Loss.ShouldBe(dropless.Outcome.Loss);
        limited.Outcome.Dropped.ShouldBe(0);
        dropless.Outcome.Dropped.ShouldBeNull();
    }

    [Fact]
    public void Step_WithALimit_IsTheSameHoweverItIsComputed()
    {
        using var scope = NewDisposeScope();
        using var decoder = FusedModels.Create("shared");

        var kept = Step(decoder, 0.6, recompute: false);
        var again = Step(decoder, 0.6, recompute: true);

        kept.Gradients.Zip(again.Gradients, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-5f);
        again.Outcome.Dropped.ShouldBe(kept.Outcome.Dropped);
        kept.Outcome.Dropped!.Value.ShouldBeInRange(0.38, 0.7); // at most 13 of 84 assignments for each of four
        kept.Outcome.Counts.ShouldAllBe(layer => layer.Sum() == 42 * decoder.Config.ExpertsPerToken); // as the router chose
    }

    /// <summary>What is added to the stream is the sum over the assignments that a loop over plain numbers keeps.</summary>
    [Fact]
    public void Forward_WithALimit_AddsWhatIsKept()
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using var decoder = Models.Tiny(3, config => config with { Layers = 1 });
        decoder.UsesKernels = false;
        var stream = decoder.Embed(FusedModels.Batch("plain"));
        var (all, limited) = (new Seen(), new Seen());

        decoder.RunLayer(0, stream, all);
        using (decoder.Begin(new TrainingPass { Capacity = 0.8 }))
            decoder.RunLayer(0, stream, limited);

        var limit = (int)Math.Ceiling(0.8 * all.Assigned.Count / 4);
        var kept = all.Assigned.GroupBy(a => a.Expert).SelectMany(g => g.OrderByDescending(a => a.Gate).ThenBy(a => a.Token).Take(limit)).ToList();
        kept.Count.ShouldBeLessThan(all.Assigned.Count);
        limited.Assigned.Select(a => (a.Expert, a.Token)).Order().ShouldBe(kept.Select(a => (a.Expert, a.Token)).Order());
        for (var token = 0; token < 44; token++)
        {
            var expected = kept.Where(a => a.Token == token).Aggregate(new double[32], (sum, a) => [.. sum.Zip(a.Output, (x, y) => x + a.Gate * y)]);
            limited.Blocks[token].Zip(expected, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-5);
        }
    }

    private static (StepOutcome Outcome, float[] Gradients) Step(MoeDecoder decoder, double? capacity, bool recompute)
    {
        using var optimizer = new GradientRecorder(decoder.Buffer);
        decoder.Buffer.RequireGradients();
        var settings = new TrainerSettings { Balance = BalanceMethod.Loss, BalanceCoefficient = 0.1, Recompute = recompute, Capacity = capacity };
        var outcome = new DecoderTrainer(decoder, optimizer, settings).Step([FusedModels.Batch("plain")], 0);
        return (outcome, optimizer.Gradients);
    }

    private sealed class Seen : IMoeObserver
    {
        public List<(int Expert, int Token, float Gate, float[] Output)> Assigned { get; } = [];

        public float[][] Blocks { get; private set; } = [];

        public Tensor OnExpert(ExpertTrace trace)
        {
            var (tokens, gates) = (trace.Tokens.data<long>().ToArray(), trace.Gates.data<float>().ToArray());
            var outputs = trace.Output.contiguous().data<float>().ToArray().Chunk(32).ToArray();
            Assigned.AddRange(tokens.Select((token, i) => (trace.Expert, (int)token, gates[i], outputs[i])));
            return trace.Output;
        }

        public void OnBlock(int layer, Tensor residual, Tensor output) => Blocks = [.. output.contiguous().data<float>().ToArray().Chunk(32)];
    }
}
