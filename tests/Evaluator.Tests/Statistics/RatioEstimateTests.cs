using Espalier.Evaluator.Statistics;
using Espalier.Surgery;

namespace Espalier.Evaluator.Tests.Statistics;

public sealed class RatioEstimateTests
{
    [Fact]
    public void Value_HandbookExample_IsBitsPerByte() =>
        new DocumentRatios([600, 400], [700 * Math.Log(2), 500 * Math.Log(2)]).Value.ShouldBe(1.202246, 1e-6);

    [Fact]
    public void Of_SameSeed_GivesTheSameResamples()
    {
        var ratios = Synthetic(seed: 1, documents: 37);

        RatioEstimate.Of([ratios], 200, 5, "x")[0].Resampled.ShouldBe(RatioEstimate.Of([ratios], 200, 5, "x")[0].Resampled);
        RatioEstimate.Of([ratios], 200, 6, "x")[0].Resampled.ShouldNotBe(RatioEstimate.Of([ratios], 200, 5, "x")[0].Resampled);
    }

    [Fact]
    public void Of_OneDocument_GivesNoInterval() =>
        RatioEstimate.Of([new DocumentRatios([3], [2])], 200, 1, "x")[0].Interval(0.95).ShouldBe(new Interval(1.5, null, null));

    [Fact]
    public void Interval_ManyDraws_CoversTheTruthAboutAsOftenAsItSays()
    {
        var covered = Enumerable.Range(0, 400).Count(trial =>
        {
            var interval = RatioEstimate.Of([Synthetic(trial, documents: 80)], 200, trial, "coverage")[0].Interval(0.95);
            return interval.Low <= 2 && 2 <= interval.High;
        });

        covered.ShouldBeInRange((int)(0.90 * 400), (int)(0.985 * 400));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(10)]
    [InlineData(29)]
    [InlineData(30)]
    [InlineData(60)]
    public void Interval_AnyNumberOfDocuments_CoversTheTruthAboutAsOftenAsItSays(int documents)
    {
        const int Trials = 1000;
        var (covered, differences) = (0, 0);
        for (var trial = 0; trial < Trials; trial++)
        {
            var estimates = RatioEstimate.Of([Synthetic(2 * trial, documents), Synthetic(2 * trial + 1, documents)], 200, trial, "coverage");
            var interval = estimates[0].Interval(0.95);
            covered += interval.Low <= 2 && 2 <= interval.High ? 1 : 0;
            var difference = PairedComparison.Of(estimates[0], estimates[1], 0.95).Difference;
            differences += difference.Low <= 0 && 0 <= difference.High ? 1 : 0;
        }

        ((double)covered / Trials).ShouldBeInRange(0.91, 0.985);
        ((double)differences / Trials).ShouldBeInRange(0.91, 0.985);
    }

    [Fact]
    public void Interval_FewDocumentsOfOneLength_IsStudentsT()
    {
        var estimate = RatioEstimate.Of([new DocumentRatios([10, 12, 17], [10, 10, 10])], 200, 1, "x")[0];

        // mean 1.3, standard deviation 0.36056, t(0.975, 2) = 4.30265
        var interval = estimate.Interval(0.95);
        interval.Value.ShouldBe(1.3, 1e-12);
        interval.High!.Value.ShouldBe(1.3 + 4.30265 * 0.360555 / Math.Sqrt(3), 1e-4);
        interval.Low!.Value.ShouldBe(1.3 - 4.30265 * 0.360555 / Math.Sqrt(3), 1e-4);
        estimate.Bound(0.95)!.Value.ShouldBe(1.3 + 2.91999 * 0.360555 / Math.Sqrt(3), 1e-4);
    }

    [Theory]
    [InlineData(0.975, 1, 12.70620)]
    [InlineData(0.975, 2, 4.302653)]
    [InlineData(0.975, 9, 2.262157)]
    [InlineData(0.95, 28, 1.701131)]
    [InlineData(0.99995, 1, 6366.198)]
    [InlineData(0.025, 5, -2.570582)]
    [InlineData(0.5, 7, 0)]
    public void Quantile_StudentT_IsThatOfTheTables(double probability, int degrees, double expected) =>
        StudentT.Quantile(probability, degrees).ShouldBe(expected, Math.Max(1e-5, Math.Abs(expected) * 1e-6));

    [Fact]
    public void PairedComparison_IdenticalModels_AreRejectedInFewerThanFivePercent()
    {
        // Two models whose losses differ by chance alone; a bound that leaves out 2.5 % claims a difference about that often.
        var rejected = Enumerable.Range(0, 1000).Count(trial =>
        {
            var (first, second) = (Synthetic(2 * trial, documents: 60), Synthetic(2 * trial + 1, documents: 60));
            var estimates = RatioEstimate.Of([first, second], 100, trial, "a/a");
            return PairedComparison.Of(estimates[0], estimates[1], 0.975).LowerBound > 0;
        });

        rejected.ShouldBeLessThan(50);
    }

    [Fact]
    public void PairedComparison_SameModel_HasNoDifferenceAtAll()
    {
        var ratios = Synthetic(3, documents: 50);
        var estimates = RatioEstimate.Of([ratios, ratios], 500, 1, "same");

        var comparison = PairedComparison.Of(estimates[0], estimates[1], 0.95);

        comparison.ShouldBe(new PairedComparison(new Interval(0, 0, 0), 0, 0));
    }

    [Fact]
    public void PairedComparison_ShiftOnEveryDocument_IsSeenDespiteTheSpreadBetweenDocuments()
    {
        var first = Synthetic(4, documents: 50);
        var second = first with { Numerators = [.. first.Numerators.Zip(first.Denominators, (n, d) => n - 0.01 * d)] };
        var estimates = RatioEstimate.Of([first, second], 500, 1, "shift");

        var comparison = PairedComparison.Of(estimates[0], estimates[1], 0.95);

        comparison.Difference.Low!.Value.ShouldBe(0.01, 1e-9);
        estimates[0].Interval(0.95).Low!.Value.ShouldBeLessThan(second.Value);
    }

    [Fact]
    public void McNemar_FourAgainstTwelve_IsTheExactBinomialTail()
    {
        McNemar.TwoSided(4, 12).ShouldBe(0.0768, 5e-5);
        McNemar.OneSided(4, 12).ShouldBe(0.0384, 5e-5);
        McNemar.TwoSided(0, 0).ShouldBe(1);
    }

    [Fact]
    public void Quantile_Interpolates() => Interval.Quantile([0, 1, 2, 3], 0.5).ShouldBe(1.5);

    // Documents of 20 to 120 tokens whose mean loss per token has expectation 2 and varies from document to document.
    private static DocumentRatios Synthetic(int seed, int documents)
    {
        var random = new KeyedRandom(seed, 0, "synthetic");
        var tokens = new double[documents];
        var losses = new double[documents];
        for (var i = 0; i < documents; i++)
        {
            tokens[i] = 20 + random.NextIndex(100);
            losses[i] = tokens[i] * (2 + 0.4 * random.NextNormal());
        }
        return new DocumentRatios(losses, tokens);
    }
}
