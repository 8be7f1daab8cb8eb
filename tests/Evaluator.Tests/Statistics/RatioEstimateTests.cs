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

    [Fact]
    public void PairedComparison_IdenticalModels_AreRejectedInFewerThanFivePercent()
    {
        // Two models whose losses differ by chance alone; a bound that leaves out 2.5 % claims a difference about that often.
        var rejected = Enumerable.Range(0, 1000).Count(trial =>
        {
            var (first, second) = (Synthetic(2 * trial, documents: 60), Synthetic(2 * trial + 1, documents: 60));
            var estimates = RatioEstimate.Of([first, second], 100, trial, "a/a");
            return PairedComparison.Of(estimates[0].Value, estimates[1].Value, estimates[0].Resampled, estimates[1].Resampled, 0.975).LowerBound > 0;
        });

        rejected.ShouldBeLessThan(50);
    }

    [Fact]
    public void PairedComparison_SameModel_HasNoDifferenceAtAll()
    {
        var ratios = Synthetic(3, documents: 50);
        var estimates = RatioEstimate.Of([ratios, ratios], 500, 1, "same");

        var comparison = PairedComparison.Of(estimates[0].Value, estimates[1].Value, estimates[0].Resampled, estimates[1].Resampled, 0.95);

        comparison.ShouldBe(new PairedComparison(new Interval(0, 0, 0), 0, 0));
    }

    [Fact]
    public void PairedComparison_ShiftOnEveryDocument_IsSeenDespiteTheSpreadBetweenDocuments()
    {
        var first = Synthetic(4, documents: 50);
        var second = first with { Numerators = [.. first.Numerators.Zip(first.Denominators, (n, d) => n - 0.01 * d)] };
        var estimates = RatioEstimate.Of([first, second], 500, 1, "shift");

        var comparison = PairedComparison.Of(estimates[0].Value, estimates[1].Value, estimates[0].Resampled, estimates[1].Resampled, 0.95);

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
