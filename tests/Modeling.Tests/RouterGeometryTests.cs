using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests;

public sealed class RouterGeometryTests
{
    [Fact]
    public void Similarity_HandMadeRows_IsTheMeanOfTheirCosines()
    {
        using var router = tensor(new float[,] { { 3, 0 }, { 0, 2 }, { 1, 1 } });
        using var single = router.narrow(0, 0, 1);
        using var opposite = tensor(new float[,] { { 1, 0 }, { -5, 0 } });

        RouterGeometry.Similarity(router).ShouldBe((0 + 2 * Math.Sqrt(0.5)) / 3, 1e-9);
        RouterGeometry.Similarity(single).ShouldBe(1);
        RouterGeometry.Similarity(opposite).ShouldBe(-1, 1e-9);
    }

    /// <summary>Experts 0, 1 and 3 have tokens: cosines 1, 4 / 5 and -1.</summary>
    [Fact]
    public void Alignment_HandMadeTokens_IsTheMeanCosineOfExpertsWithTokens()
    {
        using var scope = NewDisposeScope();
        var router = tensor(new float[,] { { 2, 0 }, { 0, 1 }, { 1, 0 }, { 0, 3 } });
        var input = tensor(new float[,] { { 1, 1 }, { 1, -1 }, { 3, 4 }, { 0, -2 } });
        var logits = input.matmul(router.t());
        var selected = tensor(new long[,] { { 0 }, { 0 }, { 1 }, { 3 } });
        var trace = new RoutingTrace(0, input, logits, logits, selected, ones(4, 1)) { Router = router };

        var (sums, counts) = RouterGeometry.SumsOf(trace);

        sums.data<float>().ToArray().ShouldBe([2, 0, 3, 4, 0, 0, 0, -2]);
        counts.data<float>().ToArray().ShouldBe([2, 1, 0, 1]);
        RouterGeometry.Alignment(router, sums, counts).ShouldBe((1 + 0.8 - 1) / 3, 1e-7);
        RouterGeometry.SumsOf(trace, rows: 1).Sums.data<float>().ToArray().ShouldBe([1, 1, 0, 0, 0, 0, 0, 0]);
        RouterGeometry.Alignment(router, sums, zeros_like(counts)).ShouldBe(0);
    }

    [Fact]
    public void SumsOf_ChoicesOutOfUse_AreLeftOut()
    {
        using var scope = NewDisposeScope();
        var input = tensor(new float[,] { { 1, 2 } });
        var selected = tensor(new long[,] { { 1, 0 } });
        var used = tensor(new[] { true, false }, [1, 2]);
        var trace = new RoutingTrace(0, input, input, input, selected, ones(1, 2)) { Used = used };

        RouterGeometry.SumsOf(trace).Sums.data<float>().ToArray().ShouldBe([0, 0, 1, 2]);
    }
}
