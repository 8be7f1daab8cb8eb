using Espalier.Stages.Methods;
using Espalier.Upcycler.Merging;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Tests.Merging;

/// <summary>The methods' numbers, by hand and by their formulas in double precision.</summary>
public sealed class MergeMethodTests
{
    private static readonly MergeOptions Plain = new() { Method = "" };

    [Fact]
    public void All_Methods_AreTheNamedOnes() => MethodCatalog<IMergeMethod>.Names.ShouldBe(["average", "dare", "slerp", "task-arithmetic", "ties"]);

    [Fact]
    public void Average_Weights_AreDividedByTheirSum() =>
        Merge("average", Plain, [1, 3], null, [1, 2], [5, -2]).ShouldBe([4, -1]);

    [Fact]
    public void TaskArithmetic_Changes_AddUp() =>
        Merge("task-arithmetic", Plain with { Scale = 0.5 }, [1, -2], [1, 1], [3, 1], [1, 4]).ShouldBe([1 + 0.5 * 2, 1 - 0.5 * 2 * 3]);

    // arXiv 2306.01708, and the case of the handbook of methods: signs [+, +] are elected.
    [Fact]
    public void Ties_NothingTrimmed_AveragesWhatAgrees() => Merge(
        "ties", Plain with { Density = 1 }, [1, 1, 1], [0, 0], [2, -1], [1, 3], [-0.1, 2]).ShouldBe([1.5, 2.5]);

    [Fact]
    public void Ties_Trimmed_KeepsTheLargestAndOfEqualsTheFirst() => Merge(
        "ties", Plain with { Density = 0.5 }, [1], [10, 10, 10, 10], [13, 8, 8, 10.5]).ShouldBe([13, 8, 10, 10]);

    [Fact]
    public void Ties_SumOfZero_MovesNothing() => Merge("ties", Plain with { Density = 1 }, [1, 1], [7], [9], [5]).ShouldBe([7]);

    [Fact]
    public void Dare_ManyNumbers_DropsTheShareAndKeepsTheMean()
    {
        const int Count = 200_000;
        var values = new double[Count];
        Array.Fill(values, 1.0);

        var merged = Merge("dare", Plain with { Density = 0.25, Seed = 3 }, [1], new double[Count], values);

        merged.Distinct().Order().ShouldBe([0, 4]);
        // Five standard deviations of a share of 0.25 over so many.
        (merged.Count(v => v != 0) / (double)Count).ShouldBe(0.25, 5 * Math.Sqrt(0.25 * 0.75 / Count));
        Merge("dare", Plain with { Density = 0.25, Seed = 3 }, [1], new double[Count], values).ShouldBe(merged);
        Merge("dare", Plain with { Density = 0.25, Seed = 4 }, [1], new double[Count], values).ShouldNotBe(merged);
    }

    [Fact]
    public void Dare_NothingDropped_IsTaskArithmetic() => Merge("dare", Plain with { Density = 1 }, [0.5], [1, 2], [3, 5]).ShouldBe([2, 3.5]);

    [Fact]
    public void Slerp_RightAngle_StaysOnTheSphere()
    {
        var merged = Merge("slerp", Plain, [1, 1], null, [2, 0], [0, 2]);

        merged[0].ShouldBe(Math.Sqrt(2), 1e-6);
        merged[1].ShouldBe(Math.Sqrt(2), 1e-6);
    }

    [Theory]
    [InlineData(0.25)]
    [InlineData(0.8)]
    public void Slerp_AnyAngle_IsTheFormula(double share)
    {
        double[] a = [1, 2, -1], b = [0.5, -1, 3];
        var angle = Math.Acos((0.5 - 2 - 3) / Math.Sqrt(6 * 10.25));

        var merged = Merge("slerp", Plain, [1 - share, share], null, a, b);

        merged.Zip(a.Zip(b)).ShouldAllBe(m => Math.Abs(m.First
            - (Math.Sin((1 - share) * angle) * m.Second.First + Math.Sin(share * angle) * m.Second.Second) / Math.Sin(angle)) < 1e-6);
    }

    [Fact]
    public void Slerp_SameDirection_IsTheStraightLine() => Merge("slerp", Plain, [1, 1], null, [1, 2], [3, 6]).ShouldBe([2, 4]);

    [Theory]
    [InlineData("average", new[] { 0.0, 2 }, 1.0, 1)]
    [InlineData("average", new[] { 1.0, 2 }, 1.0, null)]
    [InlineData("slerp", new[] { 1.0, 0 }, 1.0, 0)]
    [InlineData("task-arithmetic", new[] { 0.0, 1 }, 1.0, 1)]
    [InlineData("task-arithmetic", new[] { 0.0, 1 }, 0.5, null)]
    [InlineData("task-arithmetic", new[] { 0.0, 2 }, 0.5, 1)]
    [InlineData("ties", new[] { 1.0, 0 }, 1.0, null)]
    public void Identity_OfWeights_IsKnownWithoutReading(string method, double[] weights, double scale, int? expected) =>
        MethodCatalog<IMergeMethod>.Get(method, "method").Identity(Plain with { Scale = scale }, weights).ShouldBe(expected);

    [Fact]
    public void Assignment_RandomGains_IsTheBestOfAllOrders()
    {
        var random = new Random(5);
        for (var trial = 0; trial < 50; trial++)
        {
            var n = random.Next(1, 7);
            var gains = new double[n, n];
            foreach (var (i, j) in from i in Enumerable.Range(0, n) from j in Enumerable.Range(0, n) select (i, j))
                gains[i, j] = Math.Round(random.NextDouble(), 2);

            var found = Assignment.Solve(gains);

            found.Order().ShouldBe(Enumerable.Range(0, n));
            Gain(gains, found).ShouldBe(Orders(n).Max(order => Gain(gains, order)), 1e-12);
        }

        static double Gain(double[,] gains, IReadOnlyList<int> order) => order.Select((column, row) => gains[row, column]).Sum();

        static IEnumerable<int[]> Orders(int n) => n == 0 ? [[]] :
            Orders(n - 1).SelectMany(rest => Enumerable.Range(0, n).Select(at => rest[..at].Append(n - 1).Concat(rest[at..]).ToArray()));
    }

    private static double[] Merge(string method, MergeOptions options, double[] weights, double[]? source, params double[][] models)
    {
        using var scope = NewDisposeScope();
        Tensor Of(double[] values) => tensor(values.Select(v => (float)v).ToArray());
        var tensors = new TensorsToMerge("t", source is null ? null : Of(source), [.. models.Select(Of)], weights);
        return MethodCatalog<IMergeMethod>.Get(method, "method").Merge(tensors, options).to(float64).data<double>().ToArray();
    }
}
