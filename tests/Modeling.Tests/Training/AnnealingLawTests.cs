using Espalier.Modeling.Training;
using Espalier.Modeling.Training.Annealing;

namespace Espalier.Modeling.Tests.Training;

public sealed class AnnealingLawTests
{
    private static readonly AnnealingLaw Known = new(1.9, 0.35, 0.5, 0.12, 0, AnnealingLaw.UsualDecay);

    [Fact]
    public void Areas_OfThePaper_AreBothSums()
    {
        double[] rates = [1, 1, 1, 0.5, 0.25];

        var areas = AnnealingAreas.Of(rates, decay: 0.5)[^1];

        areas.Forward.ShouldBe(2.75);
        areas.Annealing.ShouldBe(1.0);
        areas.Annealing.ShouldBe(DoubleSum(rates, 0.5), 1e-12);
    }

    [Fact]
    public void Areas_ConstantRate_AnnealNothing() => AnnealingAreas.Of([0.3, 0.3, 0.3, 0.3], 0.999)[^1].Annealing.ShouldBe(0);

    [Fact]
    public void Areas_RisingRate_AreNegative() => AnnealingAreas.Of([0.1, 0.2, 0.3], 0.999)[^1].Annealing.ShouldBeLessThan(0);

    [Fact]
    public void Areas_OfASchedule_StartAtTheEndOfTheWarmUp()
    {
        var schedule = new LearningRateSchedule { Kind = ScheduleKind.Wsd, Peak = 2, Steps = 8, WarmUp = 4, DecayShare = 0.25 };

        var areas = AnnealingAreas.Of(schedule, [4, 6, 8, 8], decay: 1);

        areas.Select(a => a.Forward).ShouldBe([5, 9, 12, 12]); // rates 0.5 1 1.5 2, 2 2, 2 1
        areas.Select(a => a.Annealing).ShouldBe([0, 0, 1, 1]);
        AnnealingAreas.Of(schedule, [4.5], 1)[0].Forward.ShouldBe(6); // half of the step
    }

    [Theory]
    [InlineData(ScheduleKind.Cosine, 1.0)]
    [InlineData(ScheduleKind.Wsd, 1.0)]
    [InlineData(ScheduleKind.WsdSqrt, 0.97)]
    public void Fit_ExactCurve_FindsItsConstants(ScheduleKind kind, double share)
    {
        var schedule = Schedule(kind);

        var law = AnnealingFit.Of(schedule, Curve(Known, schedule, share), isContinued: false)!.Law;

        law.Floor.ShouldBe(Known.Floor, 0.02);
        law.Exponent.ShouldBe(Known.Exponent, 0.03);
        law.Amplitude.ShouldBe(Known.Amplitude, 0.03);
        law.Gain.ShouldBe(Known.Gain, 0.1 * Known.Gain);
    }

    [Fact]
    public void Fit_ContinuedModel_FindsWhatLayBefore()
    {
        var schedule = Schedule(ScheduleKind.Wsd);
        var known = Known with { Before = 0.2 * AnnealingAreas.Of(schedule, [schedule.Steps], 0.999)[0].Forward };

        var fit = AnnealingFit.Of(schedule, Curve(known, schedule, 1), isContinued: true)!;

        fit.Law.Before.ShouldBeInRange(0.3 * known.Before, 3 * known.Before);
        fit.AtEndOf(schedule).Value.ShouldBe(known.Along(schedule, [schedule.Steps])[0], 2e-3);
    }

    [Fact]
    public void AtEndOf_SchedulesThatWereNotSeen_AreWhatTheLawSays()
    {
        var seen = Schedule(ScheduleKind.Cosine);
        var fit = AnnealingFit.Of(seen, Curve(Known, seen, 1, noise: 0.004), isContinued: false)!;

        foreach (var kind in (ScheduleKind[])[ScheduleKind.Wsd, ScheduleKind.WsdSqrt, ScheduleKind.Constant])
        {
            var truth = Known.Along(Schedule(kind), [seen.Steps])[0];
            var expected = fit.AtEndOf(Schedule(kind));
            expected.Value.ShouldBe(truth, 0.01 * truth, $"{kind}");
            truth.ShouldBeInRange(expected.Low, expected.High, $"{kind}");
        }
    }

    [Fact]
    public void AtEndOf_RateHasNotFallenYet_SaysSoByTheInterval()
    {
        var schedule = Schedule(ScheduleKind.Wsd);

        var early = AnnealingFit.Of(schedule, Curve(Known, schedule, 0.5, noise: 0.004), isContinued: false)!.AtEndOf(schedule);
        var late = AnnealingFit.Of(schedule, Curve(Known, schedule, 0.98, noise: 0.004), isContinued: false)!.AtEndOf(schedule);

        var truth = Known.Along(schedule, [schedule.Steps])[0];
        truth.ShouldBeInRange(early.Low, early.High);
        (late.High - late.Low).ShouldBeLessThan((early.High - early.Low) / 2);
        late.Value.ShouldBe(truth, 0.01 * truth);
    }

    [Fact]
    public void Fit_OneBadStretch_IsPassedOver()
    {
        var schedule = Schedule(ScheduleKind.Cosine);
        var curve = Curve(Known, schedule, 1).Select((p, i) => i is > 60 and < 66 ? p with { Loss = p.Loss + 1 } : p).ToList();

        var fit = AnnealingFit.Of(schedule, curve, isContinued: false)!;

        fit.AtEndOf(schedule).Value.ShouldBe(Known.Along(schedule, [schedule.Steps])[0], 0.01);
    }

    [Fact]
    public void Fit_TooFewPoints_IsNone() => AnnealingFit.Of(Schedule(ScheduleKind.Wsd), Curve(Known, Schedule(ScheduleKind.Wsd), 0.06), false).ShouldBeNull();

    private static LearningRateSchedule Schedule(ScheduleKind kind) => new() { Kind = kind, Peak = 0.003, Steps = 2000, WarmUp = 100, DecayShare = 0.2 };

    private static List<CurvePoint> Curve(AnnealingLaw law, LearningRateSchedule schedule, double share, double noise = 0)
    {
        double[] steps = [.. Enumerable.Range(1, (int)(200 * share)).Select(i => i * 10.0)];
        return [.. law.Along(schedule, steps).Select((loss, i) => new CurvePoint(steps[i], loss + noise * Math.Sin(i * 12.9898) * Math.Sqrt(2)))];
    }

    // The definition, sum over i of sum over k of (eta_{k-1} - eta_k) lambda^{i-k}.
    private static double DoubleSum(double[] rates, double decay) => Enumerable.Range(1, rates.Length - 1)
        .Sum(i => Enumerable.Range(1, i).Sum(k => (rates[k - 1] - rates[k]) * Math.Pow(decay, i - k)));
}
