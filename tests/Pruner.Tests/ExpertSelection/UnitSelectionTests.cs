using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pruner.ExpertSelection;

namespace Espalier.Pruner.Tests.ExpertSelection;

public sealed class UnitSelectionTests
{
    private static readonly ModelConfig Eight = ModelConfig.Tiny() with { Experts = 8, ExpertSize = 64 };

    [Theory]
    [InlineData(0, 8)]
    [InlineData(0.25, 6)]
    [InlineData(0.3, 6)]
    [InlineData(0.75, 2)]
    public void CountExperts_Ratio_RemovesTheWholePart(double ratio, int expected) =>
        UnitSelection.CountExperts(Eight, ratio).ShouldBe(expected);

    [Fact]
    public void CountExperts_FewerThanTopK_SaysTheLargestRatio() =>
        Should.Throw<UserInputException>(() => UnitSelection.CountExperts(Eight, 0.9)).Message.ShouldContain("Use at most 0.75");

    [Fact]
    public void CountExperts_LessThanOne_IsRefused() =>
        Should.Throw<UserInputException>(() => UnitSelection.CountExperts(Eight, 0.1)).Message.ShouldContain("Use at least 0.125");

    [Theory]
    [InlineData(0.25, 8, 48)]
    [InlineData(0.2, 8, 48)] // 51.2 to the nearest multiple
    [InlineData(0.2, 1, 51)]
    [InlineData(0.99, 8, 8)]
    public void CountNeurons_Ratio_RoundsToAMultiple(double ratio, int multipleOf, int expected) =>
        UnitSelection.CountNeurons(Eight, ratio, multipleOf).ShouldBe(expected);

    [Fact]
    public void CountNeurons_RoundsToNothing_IsRefused() =>
        Should.Throw<UserInputException>(() => UnitSelection.CountNeurons(Eight, 0.01, 8)).Message.ShouldContain("Lower 'multiple-of'");

    [Fact]
    public void KeepExperts_EqualScores_LowerIndexStays() =>
        UnitSelection.KeepExperts([[1, 2, 1, 1]], 2, 3)[0].Experts.ShouldBe([0, 1]);

    [Fact]
    public void KeepNeurons_EachExpertKeepsItsBest()
    {
        var kept = UnitSelection.KeepNeurons([[1, 3, 2, 9, 7, 8]], experts: 2, count: 2)[0];

        kept.Experts.ShouldBe([0, 1]);
        kept.Neurons.ShouldBe([[1, 2], [0, 2]]);
    }

    [Fact]
    public void KeepNeuronsGlobally_WorstOfTheModelGo()
    {
        var kept = UnitSelection.KeepNeuronsGlobally([[1, 3, 2, 9], [0, 0, 5, 6]], experts: 2, ratio: 0.5);

        kept[0].Neurons.ShouldBe([[1], [1]]);
        kept[1].Neurons.ShouldBe([[], [0, 1]]);
    }
}
