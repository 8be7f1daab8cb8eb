using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Tests.Planning;

public sealed class TwinsTests
{
    [Theory]
    [InlineData("copy", "copy", new[] { 3, 1, 1, 3 })]
    [InlineData("shuffle-columns", "copy", new[] { 3, 1, 1, 3 })]          // another labelling of the same neurons
    [InlineData("copy", "scaled-copy", new[] { 1, 1, 1, 1, 2, 2 })]        // copies differ from the source, not from each other
    [InlineData("interpolate", "copy", new[] { 1, 1, 1, 1, 2, 2 })]
    [InlineData("copy", "copy-noise", new[] { 1, 1, 1, 1, 1, 1, 1, 1 })]
    [InlineData("copy-noise", "copy", new[] { 1, 1, 1, 1, 1, 1, 1, 1 })]
    public void Find_CopiesByMethod_CountsThoseThatAreAlike(string duplication, string router, int[] expected)
    {
        var options = new UpcycleOptions { Counts = [3, 1, 1, 3], Duplication = new() { Method = duplication }, Router = new() { Method = router } };
        var plan = new LayerPlan(0, [0, 1, 2, 3, 0, 3, 0, 3], [new Doubling([], [0, 3, 0, 3])]);

        Twins.Find(plan, 4, options).Select(twin => twin.Count).ShouldBe(expected);
    }

    [Fact]
    public void Find_TwoDoublings_CopiesOfCopiesAreApart()
    {
        var options = new UpcycleOptions { Router = new() { Method = "scaled-copy" } };
        var plan = new LayerPlan(0, [0, 0, 0, 0], [new Doubling([], [0]), new Doubling([], [0, 1])]);

        Twins.Find(plan, 1, options).Select(twin => twin.Count).ShouldBe([1, 2, 1]); // s, two of 0.95 s, one of 0.9025 s
    }
}
