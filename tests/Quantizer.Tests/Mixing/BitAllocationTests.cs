using Espalier.Modeling;
using Espalier.Quantizer.Mixing;

namespace Espalier.Quantizer.Tests.Mixing;

public sealed class BitAllocationTests
{
    private static readonly BitChoice[][] Two =
    [
        [new(4, 10, 8), new(8, 20, 1)],  // 0.7 per byte
        [new(4, 10, 9), new(8, 18, 1)],  // 1 per byte
    ];

    [Theory]
    [InlineData(20, new[] { 0, 0 })]
    [InlineData(27, new[] { 0, 0 })]
    [InlineData(28, new[] { 0, 1 })]
    [InlineData(37, new[] { 0, 1 })]
    [InlineData(38, new[] { 1, 1 })]
    public void Choose_TwoUnits_UpgradesTheOneThatGainsMostPerByteFirst(long budget, int[] expected) =>
        BitAllocation.Choose(Two, budget).ShouldBe(expected);

    [Fact]
    public void Choose_BestUpgradeTooLarge_TakesTheNextThatFits() =>
        BitAllocation.Choose([[new(4, 10, 100), new(8, 50, 0)], [new(4, 10, 3), new(8, 15, 1)]], 30).ShouldBe([0, 1]);

    [Fact]
    public void Choose_ChoiceAboveTheHull_IsLeftOut() =>
        // from 2 to 4 bits 1 per byte, from 4 to 8 bits 2 per byte: straight to 8
        BitAllocation.Choose([[new(2, 10, 40), new(4, 20, 30), new(8, 30, 10)]], 29).ShouldBe([0]);

    [Fact]
    public void Choose_ChoiceThatHurtsMore_IsNeverTaken() =>
        BitAllocation.Choose([[new(4, 10, 1), new(8, 20, 2)]], 1000).ShouldBe([0]);

    [Fact]
    public void Choose_LessThanTheLeast_Throws() => Should.Throw<ArgumentOutOfRangeException>(() => BitAllocation.Choose(Two, 19));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Choose_RandomUnits_FitsAndIsAtMostOneUpgradeFromTheBest(int seed)
    {
        var random = new Random(seed);
        var units = Enumerable.Range(0, 6).Select(_ => Choices(random)).ToList();
        var (least, most) = (units.Sum(unit => unit[0].Bytes), units.Sum(unit => unit[^1].Bytes));
        var step = units.Max(unit => unit[0].Damage - unit[^1].Damage);
        var all = Products(units).Select(choice => (Bytes: choice.Sum(c => c.Bytes), Damage: choice.Sum(c => c.Damage))).ToList();

        for (var budget = least; budget <= most; budget += 3)
        {
            var chosen = BitAllocation.Choose(units, budget).Zip(units, (at, unit) => unit[at]).ToList();

            chosen.Sum(choice => choice.Bytes).ShouldBeLessThanOrEqualTo(budget);
            chosen.Sum(choice => choice.Damage).ShouldBeLessThanOrEqualTo(all.Where(a => a.Bytes <= budget).Min(a => a.Damage) + step);
        }
        BitAllocation.Choose(units, most).ShouldAllBe(at => at == 2);
    }

    [Fact]
    public void Of_Layer_GroupsWhatReadersFuse()
    {
        var config = ModelConfig.Tiny() with { SharedSize = 16, DenseLayers = [0], DenseSize = 40 };
        var targets = new TargetMatrices(config, QuantizationTargets.Linear);

        MixedUnit.Of(0, targets.OfLayer(0)).Select(unit => (unit.Name, unit.Matrices.Count))
            .ShouldBe([("layer 0 attention input", 3), ("layer 0 attention output", 1), ("layer 0 gate and up", 2), ("layer 0 down", 1)]);
        MixedUnit.Of(1, targets.OfLayer(1)).Select(unit => (unit.Name, unit.Matrices.Count)).ShouldBe(
        [
            ("layer 1 attention input", 3), ("layer 1 attention output", 1), ("layer 1 shared expert gate and up", 2), ("layer 1 shared expert down", 1),
            ("layer 1 experts gate and up", 8), ("layer 1 experts down", 4),
        ]);
    }

    // Damage falls, and ever more slowly.
    private static BitChoice[] Choices(Random random)
    {
        var (bytes, fall) = (random.Next(5, 15), 1 + random.NextDouble() * 9);
        return [new(2, bytes, fall * 5), new(4, 2 * bytes, fall * 2), new(8, 4 * bytes, fall * 0.5)];
    }

    private static IEnumerable<List<BitChoice>> Products(IEnumerable<BitChoice[]> units) =>
        units.Aggregate((IEnumerable<List<BitChoice>>)[[]],
            (products, unit) => products.SelectMany(product => unit.Select(choice => (List<BitChoice>)[.. product, choice])));
}
