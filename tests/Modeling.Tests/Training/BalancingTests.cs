using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

public sealed class LossFreeBalancingTests
{
    [Fact]
    public void Update_HandbookCounts_MovesBySignLessTheMean()
    {
        using var scope = NewDisposeScope();
        var bias = zeros(4);

        LossFreeBalancing.Update(bias, [4, 2, 1, 1]);

        // steps u [-1, 0, 1, 1], mean u / 4
        Should(bias, [-0.00125f, -0.00025f, 0.00075f, 0.00075f]);
    }

    [Fact]
    public void Update_EvenCounts_ChangesNothing()
    {
        using var scope = NewDisposeScope();
        var bias = zeros(3);

        LossFreeBalancing.Update(bias, [7, 7, 7]);

        Should(bias, [0f, 0f, 0f]);
    }

    [Fact]
    public void Update_ExpertsHeldBack_KeepTheirDistanceAndDoNotCount()
    {
        using var scope = NewDisposeScope();
        var bias = tensor([2f, 1f, -3f, -4f]);

        LossFreeBalancing.Update(bias, [6, 2, 0, 0], 0.5, [false, false, true, true]);

        // the free ones move by [-0.5, 0.5] to [1.5, 1.5], mean 1.5, which is taken from all
        Should(bias, [0f, 0f, -4.5f, -5.5f]);
    }

    private static void Should(Tensor bias, float[] expected) =>
        bias.data<float>().ToArray().Zip(expected, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-8f);
}

public sealed class LoadMetricsTests
{
    [Fact]
    public void Of_HandbookCounts_GivesHandbookValues()
    {
        var metrics = LoadMetrics.Of([4, 2, 1, 1]);

        metrics.MaxViolation.ShouldBe(1.0, 1e-9);
        metrics.MinViolation.ShouldBe(0.5, 1e-9);
        metrics.Variation.ShouldBe(0.6124, 1e-4);
        metrics.EntropyRatio.ShouldBe(0.875, 1e-9);
        metrics.DeadShare.ShouldBe(0);
    }

    [Fact]
    public void MaxViolationOf_SeveralLayers_IsTheLargest()
    {
        IReadOnlyList<long>[] layers = [[4, 2, 1, 1], [], [3, 1]];

        LoadMetrics.MaxViolationOf(layers).ShouldBe(1.0, 1e-9);
        LoadMetrics.MeanViolationOf(layers).ShouldBe(0.75, 1e-9);
        LoadMetrics.MaxViolationOf([[]]).ShouldBe(0);
    }

    [Fact]
    public void Of_UnusedExpert_CountsAsDead() => LoadMetrics.Of([1000, 1000, 1000, 5]).DeadShare.ShouldBe(0.25);
}
