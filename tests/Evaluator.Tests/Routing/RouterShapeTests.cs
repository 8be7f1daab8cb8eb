using System.Text.Json;
using Espalier.Contracts;
using Espalier.Evaluator.Routing;
using Espalier.Modeling;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Tests.Routing;

/// <summary>How a router lies does not depend on how the text is cut into batches, nor on where a pass was stopped.</summary>
public sealed class RouterShapeTests
{
    private const int Length = 4;

    // Twelve windows of four tokens, of which the first eight count.
    private static readonly float[] Inputs = [.. Enumerable.Range(0, 12 * Length * 2).Select(i => MathF.Sin(3 * i + 1) + 0.2f)];
    private static readonly long[] Selected = [.. Enumerable.Range(0, 12 * Length).Select(i => (long)(i * i % 3))];

    [Theory]
    [InlineData(12)]
    [InlineData(3, 5, 4)]
    [InlineData(1, 1, 10)]
    [InlineData(8, 4)]
    public void Add_AnyBatches_IsThatOfTheFirstWindows(params int[] batches)
    {
        using var scope = NewDisposeScope();
        using var shape = new RouterShape();
        var router = tensor(new float[,] { { 1, 0 }, { 1, 1 }, { 0, 2 } });

        foreach (var trace in Traces(router, batches))
            shape.Add(trace, Length);

        shape.Similarity.ShouldBe(2 * Math.Sqrt(0.5) / 3, 1e-7);
        shape.Alignment.ShouldBe(Expected(8), 1e-5);
    }

    [Fact]
    public void Add_LessTextThanWindows_IsThatOfAll()
    {
        using var scope = NewDisposeScope();
        using var shape = new RouterShape();

        shape.Add(Traces(tensor(new float[,] { { 1, 0 }, { 1, 1 }, { 0, 2 } }), [3]).Single(), Length);

        shape.Alignment.ShouldBe(Expected(3), 1e-5);
    }

    [Theory]
    [InlineData(1)] // while sums still grow
    [InlineData(2)] // when they are no longer needed
    public void Restore_SavedPosition_GoesOnAsIfNothingHadHappened(int stoppedAfter)
    {
        using var scope = NewDisposeScope();
        using var whole = new RouterShape();
        using var first = new RouterShape();
        using var second = new RouterShape();
        var traces = Traces(tensor(new float[,] { { 1, 0 }, { 1, 1 }, { 0, 2 } }), [3, 5, 4]).ToList();
        var live = LiveTensors.CountSettled();

        traces.ForEach(trace => whole.Add(trace, Length));
        traces.Take(stoppedAfter).ToList().ForEach(trace => first.Add(trace, Length));
        var saved = JsonSerializer.Deserialize<RouterShape.Saved>(JsonSerializer.Serialize(first.Save(), WireJson.Options), WireJson.Options)!;
        second.Restore(saved);
        traces.Skip(stoppedAfter).ToList().ForEach(trace => second.Add(trace, Length));
        first.Dispose();

        (saved.Sums is null).ShouldBe(stoppedAfter == 2);
        (second.Similarity, second.Alignment).ShouldBe((whole.Similarity, whole.Alignment));
        LiveTensors.Count.ShouldBe(live);
    }

    private static IEnumerable<RoutingTrace> Traces(Tensor router, IReadOnlyList<int> batches)
    {
        var start = 0;
        foreach (var windows in batches)
        {
            var rows = windows * Length;
            var input = tensor(Inputs.Skip(2 * start).Take(2 * rows).ToArray(), [rows, 2]);
            var logits = input.matmul(router.t());
            yield return new RoutingTrace(0, input, logits, logits, tensor(Selected.Skip(start).Take(rows).ToArray(), [rows, 1]), ones(rows, 1))
            {
                Router = router,
            };
            start += rows;
        }
    }

    // The mean cosine of rows (1, 0), (1, 1) and (0, 2) with the sums of their tokens.
    private static double Expected(int windows)
    {
        (double X, double Y)[] rows = [(1, 0), (1, 1), (0, 2)];
        var cosines = new List<double>();
        for (var expert = 0; expert < 3; expert++)
        {
            var (x, y) = (0.0, 0.0);
            for (var token = 0; token < windows * Length; token++)
            {
                if (Selected[token] == expert)
                    (x, y) = (x + Inputs[2 * token], y + Inputs[2 * token + 1]);
            }
            if (Selected.Take(windows * Length).Contains(expert))
            {
                var (rowX, rowY) = rows[expert];
                cosines.Add((x * rowX + y * rowY) / Math.Sqrt((x * x + y * y) * (rowX * rowX + rowY * rowY)));
            }
        }
        return cosines.Average();
    }
}
