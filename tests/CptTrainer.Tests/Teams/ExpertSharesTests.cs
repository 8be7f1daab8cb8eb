using Espalier.CptTrainer.Training.Teams;
using Espalier.Modeling;

namespace Espalier.CptTrainer.Tests.Teams;

/// <summary>Who trains which experts.</summary>
public sealed class ExpertSharesTests
{
    private static readonly ModelConfig Config = ModelConfig.Tiny() with { Layers = 2, Experts = 4 };

    [Theory]
    [InlineData(2, new[] { 2, 2 })]
    [InlineData(3, new[] { 2, 1, 1 })]
    [InlineData(4, new[] { 1, 1, 1, 1 })]
    public void Even_Members_HaveEquallyManyOrOneMore(int members, int[] expected)
    {
        var shares = ExpertShares.Even(Config, members);

        foreach (var layer in shares.Owners)
            Enumerable.Range(1, members).Select(member => layer.Count(owner => owner == member)).OrderDescending().ShouldBe(expected);
    }

    [Fact]
    public void Next_EvenLoad_KeepsTheShares()
    {
        var shares = ExpertShares.Even(Config, 2);

        shares.Next([[10, 12, 9, 11], [10, 10, 10, 10]]).ShouldBeSameAs(shares);
    }

    [Fact]
    public void Next_OneMemberHasMostOfTheWork_DealsTheLongestFirst()
    {
        var shares = new ExpertShares(2, [[1, 1, 2, 2]]);

        var next = shares.Next([[100, 80, 10, 5]]);

        next.Owners[0].ShouldBe([1, 2, 2, 1]); // 105 and 90 of 195
        next.IsLike(shares).ShouldBeFalse();
        next.Next([[100, 80, 10, 5]]).ShouldBeSameAs(next);
    }

    [Fact]
    public void Next_NothingBetterIsPossible_KeepsTheShares()
    {
        var shares = new ExpertShares(2, [[1, 1, 2, 2]]);

        shares.Next([[1000, 0, 0, 0]]).ShouldBeSameAs(shares);
    }
}
