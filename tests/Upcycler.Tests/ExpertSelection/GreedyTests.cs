using Espalier.Surgery;
using Espalier.Upcycler.ExpertSelection;

namespace Espalier.Upcycler.Tests.ExpertSelection;

public sealed class GreedyTests
{
    private static readonly double[] Scores = [5, 1, 4, 2];

    [Theory]
    [InlineData(3, new[] { 0, 0, 0, 2 })]
    [InlineData(2, new[] { 0, 0, 2, 2 })]
    [InlineData(1, new[] { 0, 2, 3, 1 })]
    public void Select_FourSlots_FillsTheBestUpToTheCap(int cap, int[] expected) =>
        Select(Scores, 4, cap).ShouldBe(expected);

    [Fact]
    public void Select_AllAtCap_StartsOver() =>
        Select(Scores, 8, 1).ShouldBe([0, 2, 3, 1, 0, 2, 3, 1]);

    [Fact]
    public void Select_EqualScores_LowerIndexFirst() =>
        Select([1, 2, 2, 1], 4, 1).ShouldBe([1, 2, 0, 3]);

    [Fact]
    public void Select_ThirtyTwoExpertsCapThree_TopThirdTakesEverything()
    {
        var counts = Select([.. Enumerable.Range(0, 32).Select(i => 100.0 - i)], 32, 3).CountBy(e => e).ToDictionary();

        counts.Count.ShouldBe(11);
        counts.Values.Count(c => c == 3).ShouldBe(10);
        counts[10].ShouldBe(2);
    }

    private static int[] Select(double[] scores, int slots, int cap) =>
        new Greedy().Select(scores, slots, new UpcycleOptions { MaxCopies = cap }, new KeyedRandom(1, 0, "selection"));
}
