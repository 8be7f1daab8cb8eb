namespace Espalier.CptTrainer.Tests;

public sealed class ForecastTests : IDisposable
{
    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task Run_OfAHundredSteps_SaysWhatItExpectedUnderThreeSchedules()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var result = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options("""{"tokens":6400,"learning-rate":0.003,"schedule":"cosine","warmup":5}""")));

        var report = await _bench.ReportAsync(result);
        var forecasts = report["forecasts"]!.AsArray();
        forecasts[^1]!["step"]!.GetValue<long>().ShouldBe(100);
        forecasts[^1]!["others"]!.AsObject().Select(o => o.Key).ShouldBe(["wsd", "constant"], ignoreOrder: true);
        var expected = result.Metrics["expected-final-loss"];
        expected.ShouldBeInRange(result.Metrics["expected-final-loss-low"], result.Metrics["expected-final-loss-high"]);
        expected.ShouldBe(result.Metrics["train-loss"], 0.3 * result.Metrics["train-loss"] + 0.1);
        report["expected-curve"]!.AsArray().Count.ShouldBe(100);
        report["history"]!.AsArray()[^1]!["expected-final-loss"]!.GetValue<double>().ShouldBe(expected);
    }

    [Fact]
    public async Task Run_OfTenSteps_ExpectsNothing()
    {
        var result = await TrainingBench.RunAsync(_bench.Context(await _bench.AddRepetitiveDatasetAsync(), TrainingBench.Options("""{"tokens":640}""")));

        result.Metrics.Keys.ShouldNotContain("expected-final-loss");
        (await _bench.ReportAsync(result))["forecasts"]!.AsArray().ShouldBeEmpty();
    }
}
