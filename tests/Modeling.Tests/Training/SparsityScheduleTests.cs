using Espalier.Modeling.Training;

namespace Espalier.Modeling.Tests.Training;

public sealed class SparsityScheduleTests
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(25, 0)]
    [InlineData(50, 0.5 * (1 - 0.125))]
    [InlineData(70, 0.5 * (1 - 0.001))]
    [InlineData(75, 0.5)]
    [InlineData(99, 0.5)]
    public void At_CubicRamp_IsItsFormula(long step, double expected) =>
        SparsitySchedule.Of(100, 0.5, 0.25, 0.75, every: 1).At(step).ShouldBe(expected, 1e-12);

    [Fact]
    public void At_BetweenPrunings_Stays()
    {
        var schedule = SparsitySchedule.Of(100, 0.8, 0.2, 0.6, SparsityRamp.Linear, every: 15); // at 35, 50 and 60

        Enumerable.Range(0, 100).Where(step => schedule.IsDue(step)).ShouldBe([35, 50, 60]);
        ((int[])[34, 35, 49, 50, 59, 60]).Select(step => schedule.At(step)).ShouldBe([0, 0.3, 0.3, 0.6, 0.6, 0.8], 1e-12);
    }

    /// <summary>What a step is due for is exactly where the share changes.</summary>
    [Theory]
    [InlineData(10, 0.25, 0.75, null)]
    [InlineData(1, 0.25, 0.75, null)]
    [InlineData(1000, 0, 1, null)]
    [InlineData(1000, 0, 0, null)]
    [InlineData(1000, 1, 1, null)]
    [InlineData(997, 0.1, 0.9, 13L)]
    public void IsDue_AnySchedule_IsWhereTheShareChanges(long steps, double from, double until, long? every)
    {
        var schedule = SparsitySchedule.Of(steps, 0.5, from, until, every: every);

        var changes = new List<long>();
        for (var step = 0L; step < steps; step++)
        {
            if (schedule.At(step) != (step == 0 ? 0 : schedule.At(step - 1)))
                changes.Add(step);
        }

        Enumerable.Range(0, (int)steps).Select(step => (long)step).Where(schedule.IsDue).ShouldBe(changes);
        schedule.At(steps - 1).ShouldBe(0.5);
    }

    /// <summary>Dense for a quarter, evenly down to half the size for half the run, half the size for the last quarter: 0.75 N.</summary>
    [Theory]
    [InlineData(SparsityRamp.Linear, 0.75)]
    [InlineData(SparsityRamp.Cubic, 1 - 0.5 * (0.5 * 0.75 + 0.25))] // the mean of 1 - (1 - u)^3 is 3/4
    public void AverageParameters_HalfOfAllWeights_IsTheLaw(SparsityRamp ramp, double expected) =>
        SparsitySchedule.Of(100_000, 0.5, 0.25, 0.75, ramp, every: 1).AverageParameters(1e9, 1e9).ShouldBe(expected * 1e9, 1e5);

    [Theory]
    [InlineData(97, 0.2, 0.7, 7L)]
    [InlineData(12, 0, 1, null)]
    [InlineData(5, 0, 0, null)]
    public void AverageParameters_AnySchedule_IsTheMeanOverSteps(long steps, double from, double until, long? every)
    {
        var schedule = SparsitySchedule.Of(steps, 0.9, from, until, every: every);

        var mean = Enumerable.Range(0, (int)steps).Average(step => 1000 - 600 * schedule.At(step));

        schedule.AverageParameters(1000, 600).ShouldBe(mean, 1e-9);
    }
}
