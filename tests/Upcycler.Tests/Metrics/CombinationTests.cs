using Espalier.Upcycler.Metrics;

namespace Espalier.Upcycler.Tests.Metrics;

public sealed class CombinationTests
{
    [Theory]
    [InlineData(ScoreCombination.Fc1Only, 1, 3)]
    [InlineData(ScoreCombination.Fc2Only, 4, 1)]
    [InlineData(ScoreCombination.Average, 2.5, 2)]
    [InlineData(ScoreCombination.Product, 0.2, 0.15)] // (1/4)(4/5), (3/4)(1/5)
    [InlineData(ScoreCombination.Max, 4, 3)]
    [InlineData(ScoreCombination.Min, 1, 1)]
    public void Combine_TwoExperts_FollowsTheFormula(ScoreCombination combination, double first, double second)
    {
        var scores = Combination.Combine(combination, [1, 3], [4, 1]);

        scores[0].ShouldBe(first, 1e-9);
        scores[1].ShouldBe(second, 1e-9);
    }

    [Fact]
    public void Combine_AllZero_IsZeroNotNaN() =>
        Combination.Combine(ScoreCombination.Product, [0, 0], [0, 0]).ShouldBe([0, 0]);
}
