using Espalier.Modeling.Training;

namespace Espalier.Modeling.Tests.Training;

public sealed class LearningRateScheduleTests
{
    [Theory]
    [InlineData(ScheduleKind.Cosine, 0, 0.1)]     // (s + 1) / W
    [InlineData(ScheduleKind.Cosine, 9, 1.0)]
    [InlineData(ScheduleKind.Cosine, 10, 1.0)]
    [InlineData(ScheduleKind.Cosine, 55, 0.55)]   // half way: (1 + 0.1) / 2
    [InlineData(ScheduleKind.Cosine, 100, 0.1)]
    [InlineData(ScheduleKind.Wsd, 4, 0.5)]
    [InlineData(ScheduleKind.Wsd, 50, 1.0)]
    [InlineData(ScheduleKind.Wsd, 90, 1.0)]
    [InlineData(ScheduleKind.Wsd, 95, 0.5)]
    [InlineData(ScheduleKind.Wsd, 99, 0.1)]
    [InlineData(ScheduleKind.Wsd, 100, 0.0)]
    [InlineData(ScheduleKind.WsdSqrt, 92, 0.5527864)] // 1 - sqrt(0.2)
    [InlineData(ScheduleKind.Linear, 4, 0.5)]
    [InlineData(ScheduleKind.Linear, 10, 1.0)]
    [InlineData(ScheduleKind.Linear, 55, 0.5)]
    [InlineData(ScheduleKind.Linear, 100, 0.0)]
    [InlineData(ScheduleKind.Constant, 0, 0.1)]
    [InlineData(ScheduleKind.Constant, 99, 1.0)]
    public void At_ClosedForm_GivesTheValue(ScheduleKind kind, long step, double share)
    {
        var schedule = new LearningRateSchedule { Kind = kind, Peak = 2e-3, Steps = 100, WarmUp = 10 };

        schedule.At(step).ShouldBe(2e-3 * share, 1e-9);
    }

    [Fact]
    public void At_WarmUpLongerThanRun_OnlyRises()
    {
        var schedule = new LearningRateSchedule { Kind = ScheduleKind.Wsd, Peak = 1, Steps = 5, WarmUp = 10 };

        Enumerable.Range(0, 5).Select(s => schedule.At(s)).ShouldBe([0.1, 0.2, 0.3, 0.4, 0.5], 1e-12);
    }

    [Theory]
    [InlineData(0, 0.28)] // 0.2 + 0.8 (s + 1) / W
    [InlineData(9, 1.0)]
    [InlineData(20, 1.0)]
    public void At_WarmUpAgain_StartsWhereTheRunBeforeEnded(long step, double share)
    {
        var schedule = new LearningRateSchedule { Kind = ScheduleKind.Constant, Peak = 3e-3, Steps = 100, WarmUp = 10, StartShare = 0.2 };

        schedule.At(step).ShouldBe(3e-3 * share, 1e-12);
    }
}
