using Espalier.Datasets.Sampling;

namespace Espalier.Datasets.Tests;

/// <summary>SeTa: groups by loss, and windows over them.</summary>
public sealed class SampleGroupsTests
{
    private static readonly SetaRule Rule = new(Groups: 10, Scale: 0.5, Delta: 0.875, Rounds: 16);

    /// <summary>n = 10, w = 5: six places for a window; rounds 14 and 15 of 16 are the last eighth.</summary>
    [Theory]
    [InlineData(0, 0, 10)]
    [InlineData(1, 1, 5)]
    [InlineData(5, 5, 5)]
    [InlineData(6, 0, 5)]
    [InlineData(13, 1, 5)]
    [InlineData(14, 0, 10)]
    [InlineData(15, 0, 10)]
    public void WindowOf_TenGroups_IsAsTheFormulaSays(int round, int first, int count) => Rule.WindowOf(round, 10).ShouldBe((first, count));

    [Theory]
    [InlineData(3, 0.1, 1, 1, 1)] // round(0.3) = 0: at least one
    [InlineData(3, 1.0, 2, 0, 3)]
    [InlineData(7, 0.3, 4, 4, 2)] // w = round(2.1) = 2, 4 mod 6
    [InlineData(1, 0.5, 3, 0, 1)]
    public void WindowOf_OtherShares_IsAsTheFormulaSays(int groups, double scale, int round, int first, int count) =>
        (Rule with { Scale = scale }).WindowOf(round, groups).ShouldBe((first, count));

    [Fact]
    public void Group_ThreeHeaps_FindsThem() =>
        SampleGroups.Group([5.2f, 1, 9, 1.1f, 5, 1.2f, 5.1f], 3).ShouldBe([[1, 3, 5], [4, 6, 0], [2]]);

    [Fact]
    public void Group_EqualLosses_AreEqualParts() =>
        SampleGroups.Group([2, 2, 2, 2, 2, 2], 3).ShouldBe([[0, 1], [2, 3], [4, 5]]);

    [Fact]
    public void Group_FewerThanGroups_AreOneEach() => SampleGroups.Group([3, 1], 10).ShouldBe([[1], [0]]);

    [Fact]
    public void At_EveryRound_ReadsTheGroupsOfItsWindowAlone()
    {
        const int Drawn = 1600;
        float[] losses = [.. Enumerable.Range(0, 1000).Select(i => i / 100 + i % 100 * 1e-4f)]; // ten heaps of a hundred
        var groups = new SampleGroups(losses, Drawn, Rule, seed: 4);

        groups.Sizes.ShouldAllBe(size => size == 100);
        for (var round = 0; round < Rule.Rounds; round++)
        {
            var (first, count) = Rule.WindowOf(round, 10);
            var read = Enumerable.Range(round * 100, 100).Select(ordinal => groups.At(ordinal) / 100).ToHashSet();
            read.Min().ShouldBeGreaterThanOrEqualTo(first);
            read.Max().ShouldBeLessThan(first + count);
            read.Count.ShouldBe(count);
        }
    }

    [Fact]
    public void Read_ManyDraws_CountsSequencesOnce()
    {
        float[] losses = [.. Enumerable.Range(0, 60).Select(i => (float)i)];
        var groups = new SampleGroups(losses, drawn: 300, Rule with { Groups = 6 }, seed: 4);

        for (var drawn = 0; drawn <= 300; drawn += 25)
            groups.Read(drawn).Sum().ShouldBe(Enumerable.Range(0, drawn).Select(ordinal => groups.At(ordinal)).Distinct().Count());
    }

    [Fact]
    public void At_AnotherSeed_IsAnotherOrder()
    {
        float[] losses = [.. Enumerable.Range(0, 60).Select(i => (float)i)];

        var groups = new[] { 4, 4, 5 }.Select(seed => new SampleGroups(losses, 300, Rule, seed));

        groups.Select(own => string.Join(' ', Enumerable.Range(0, 60).Select(i => own.At(i)))).Distinct().Count().ShouldBe(2);
    }
}
