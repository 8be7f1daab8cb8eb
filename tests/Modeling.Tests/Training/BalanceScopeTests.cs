using Espalier.Modeling.Tests.Fused;
using Espalier.Modeling.Training;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

/// <summary>The load-balancing loss over sequences, micro-batches and whole steps, beside the same written as loops over plain numbers.</summary>
public sealed class BalanceScopeTests
{
    private const int Experts = 4;

    [Theory]
    [InlineData(BalanceScope.Sequence, true, false)]
    [InlineData(BalanceScope.Sequence, false, true)]
    [InlineData(BalanceScope.Batch, true, false)]
    [InlineData(BalanceScope.Batch, false, false)]
    [InlineData(BalanceScope.Global, true, false)]
    [InlineData(BalanceScope.Global, true, true)]
    [InlineData(BalanceScope.Global, false, false)]
    [InlineData(BalanceScope.Global, false, true)]
    public void BalanceLoss_OfAScope_IsThatOfItsGroupsOfTokens(BalanceScope scope, bool kernels, bool recompute)
    {
        using var tensors = NewDisposeScope();
        using var decoder = FusedModels.Create("plain");
        decoder.UsesKernels = kernels;
        var routed = Batches().Select(batch => Route(decoder, batch)).ToList();
        List<List<Routed>> groups = scope switch
        {
            BalanceScope.Sequence => [.. routed.SelectMany(batch => batch.GroupBy(token => token.Sequence).Select(g => g.ToList()))],
            BalanceScope.Batch => routed,
            _ => [[.. routed.SelectMany(batch => batch)]],
        };

        var outcome = Step(decoder, scope, recompute, Batches()).Outcome;

        outcome.BalanceLoss.ShouldBe(groups.Average(LossOf), 1e-5);
    }

    /// <summary>How a step is cut into micro-batches does not matter when the averages are those of the step.</summary>
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public void Gradients_OfGlobalScope_AreThoseOfOneLargeMicroBatch(bool kernels, bool recompute)
    {
        using var tensors = NewDisposeScope();
        using var decoder = FusedModels.Create("plain");
        decoder.UsesKernels = kernels;

        var whole = Step(decoder, BalanceScope.Batch, recompute, [cat([.. Batches()])]);
        var global = Step(decoder, BalanceScope.Global, recompute, Batches());
        var batch = Step(decoder, BalanceScope.Batch, recompute, Batches());

        Difference(global.Gradients, whole.Gradients).ShouldBeLessThan(2e-5);
        Difference(batch.Gradients, whole.Gradients).ShouldBeGreaterThan(1e-3);
        global.Outcome.Counts.ShouldBe(whole.Outcome.Counts);
    }

    [Theory]
    [InlineData(BalanceScope.Sequence)]
    [InlineData(BalanceScope.Global)]
    public void Gradients_OfAScope_AreTheSameHoweverTheyAreComputed(BalanceScope scope)
    {
        using var tensors = NewDisposeScope();
        using var decoder = FusedModels.Create("shared");

        var kernels = Step(decoder, scope, recompute: false, Batches()).Gradients;
        decoder.UsesKernels = false;
        var plain = Step(decoder, scope, recompute: false, Batches()).Gradients;
        var again = Step(decoder, scope, recompute: true, Batches()).Gradients;

        Difference(kernels, plain).ShouldBeLessThan(1e-4);
        Difference(again, plain).ShouldBeLessThan(1e-5);
    }

    [Fact]
    public void Gradients_OfSequenceScope_AreTheMeanOverSequencesAlone()
    {
        using var tensors = NewDisposeScope();
        using var decoder = FusedModels.Create("plain");

        var together = Step(decoder, BalanceScope.Sequence, recompute: false, Batches()).Gradients;
        var apart = Step(decoder, BalanceScope.Batch, recompute: false, [.. Batches().SelectMany(batch => batch.split(1))]).Gradients;

        Difference(together, apart).ShouldBeLessThan(1e-4);
    }

    [Fact]
    public void Steps_OfGlobalScope_KeepNoTensors()
    {
        using var tensors = NewDisposeScope();
        using var decoder = FusedModels.Create("plain");
        decoder.UsesKernels = false;
        var (first, second, third) = (Batches(), Batches(), Batches());
        Step(decoder, BalanceScope.Global, recompute: false, first);
        var before = LiveTensors.CountSettled();

        Step(decoder, BalanceScope.Global, recompute: false, second);
        Step(decoder, BalanceScope.Sequence, recompute: true, third);

        LiveTensors.Count.ShouldBe(before - second.Count - third.Count); // which the steps disposed
    }

    private static (StepOutcome Outcome, float[] Gradients) Step(MoeDecoder decoder, BalanceScope scope, bool recompute, IReadOnlyList<Tensor> batches)
    {
        using var optimizer = new GradientRecorder(decoder.Buffer);
        decoder.Buffer.RequireGradients();
        var settings = new TrainerSettings { Balance = BalanceMethod.Loss, BalanceScope = scope, BalanceCoefficient = 3, Recompute = recompute };
        var outcome = new DecoderTrainer(decoder, optimizer, settings).Step(batches, 0);
        return (outcome, optimizer.Gradients);
    }

    // Two micro-batches of three sequences.
    private static IReadOnlyList<Tensor> Batches()
    {
        return [.. tensor(Models.Tokens(6 * 14, seed: 5), [6, 14]).split(3)];
    }

    private static List<Routed> Route(MoeDecoder decoder, Tensor batch)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var length = (int)batch.shape[1] - 1;
        return
        [
            .. decoder.Forward(batch.narrow(1, 0, length).contiguous()).Routing.SelectMany(trace =>
                trace.Logits.data<float>().ToArray().Chunk(Experts).Zip(trace.Selected.data<long>().ToArray().Chunk(decoder.Config.ExpertsPerToken))
                    .Select((row, token) => new Routed(token / length, row.First, row.Second))),
        ];
    }

    // E sum_e f_e P_e over the rows of a group, those of all layers.
    private static double LossOf(List<Routed> rows) => Experts * Enumerable.Range(0, Experts).Sum(e =>
        rows.Sum(row => row.Selected.Count(selected => selected == e)) / (double)rows.Count
        * rows.Average(row => Math.Exp(row.Logits[e]) / row.Logits.Sum(z => Math.Exp(z))));

    private static double Difference(float[] a, float[] b) =>
        Math.Sqrt(a.Zip(b, (x, y) => ((double)x - y) * ((double)x - y)).Sum() / b.Sum(y => (double)y * y));

    private sealed record Routed(int Sequence, float[] Logits, long[] Selected);
}
