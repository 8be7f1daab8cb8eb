using Espalier.Contracts;
using Espalier.CptTrainer.Training;

namespace Espalier.CptTrainer.Tests;

public sealed class DivergenceWatchTests : IDisposable
{
    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData(2.0, 2.4, false, false)]
    [InlineData(2.0, 2.9, true, false)] // under 1.5 times as much
    [InlineData(2.0, 3.1, true, true)]
    [InlineData(0.2, 0.6, true, false)] // three times as much, and not half a nat
    [InlineData(0.2, 0.8, true, true)]
    public void HasDiverged_LossStaysHigh_WhereItIsFarAbove(double before, double after, bool isRising, bool hasDiverged)
    {
        var watch = Fed(before, 60);
        Feed(watch, after, 26);

        (watch.IsRising(1.5), watch.HasDiverged(1.5)).ShouldBe((isRising, hasDiverged));
        (watch.IsRising(0), watch.HasDiverged(0)).ShouldBe((false, false));
    }

    [Fact]
    public void HasDiverged_AFewBadSteps_DoNotCount()
    {
        var watch = Fed(2, 60);
        Feed(watch, 9, 24);

        watch.HasDiverged(1.5).ShouldBeFalse();
    }

    [Fact]
    public void HasDiverged_BeforeThereIsAMedian_IsFalse() => Fed(100, 49).HasDiverged(1.5).ShouldBeFalse();

    [Fact]
    public async Task Run_DivergesSlowly_StopsAndNamesThePlace()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        const string Hopeless = """ "learning-rate":10,"warmup":1000,"schedule":"constant","tokens":12800 """; // 200 steps, the rate rising to 2

        var error = await Should.ThrowAsync<UserInputException>(() =>
            TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options($$"""{{{Hopeless}}}"""))));
        var allowed = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options($$"""{"max-rise":0,{{Hopeless}}}""")));

        error.Message.ShouldMatch("median loss of the last 50 optimizer steps is .* at optimizer step [0-9]+ .* batch [0-9]+ of the data, text of words");
        allowed.Metrics["tokens"].ShouldBe(12800);
    }

    private static DivergenceWatch Fed(double loss, int times)
    {
        var watch = new DivergenceWatch();
        Feed(watch, loss, times);
        return watch;
    }

    private static void Feed(DivergenceWatch watch, double loss, int times)
    {
        for (var i = 0; i < times; i++)
            watch.Add(loss);
    }
}
