using Espalier.Contracts;
using Espalier.Stages.Worker;

namespace Espalier.Stages.Tests;

public sealed class ProgressRelayTests
{
    private static readonly StepAddress Step = new(Guid.Empty, "s", Digest.Of("k"u8));

    [Fact]
    public void Take_ManyReports_GivesTheNewestOnceWithEveryLine()
    {
        var relay = new ProgressRelay(TimeProvider.System);
        for (var i = 1; i <= 1000; i++)
            relay.Report("training", i, 1000, "tokens");
        relay.Metric("loss", 3);
        relay.Metric("loss", 2);
        relay.Log("first");
        relay.Log("second");

        var progress = relay.Take(Step, 4)!;

        (progress.Done, progress.Total, progress.Fence, progress.Metrics["loss"]).ShouldBe((1000, 1000, 4, 2));
        progress.Log.ShouldBe(["first", "second"]);
        relay.Take(Step, 4).ShouldBeNull();
    }

    [Fact]
    public void Take_MetricThatIsNoNumber_IsLeftOut()
    {
        var relay = new ProgressRelay(TimeProvider.System);
        relay.Metric("loss", double.NaN);

        relay.Take(Step, 1)!.Metrics.ShouldBeEmpty();
    }

    [Fact]
    public void Log_MoreLinesThanKept_ForgetsTheOldest()
    {
        var relay = new ProgressRelay(TimeProvider.System);
        for (var i = 0; i < 500; i++)
            relay.Log($"line {i}");

        var lines = relay.Take(Step, 1)!.Log;

        lines.Count.ShouldBe(200);
        lines[^1].ShouldBe("line 499");
    }

    [Fact]
    public void Take_ManyLongLines_ComeInBoundedPortionsAndInOrder()
    {
        var relay = new ProgressRelay(TimeProvider.System);
        for (var i = 0; i < 100; i++)
            relay.Log($"{i} {new string('x', 1000)}");
        var step = new StepAddress(Guid.NewGuid(), "s", Digest.Of("k"u8));
        var lines = new List<string>();

        while (relay.Take(step, 1) is { } progress)
        {
            progress.Log.Sum(l => l.Length).ShouldBeLessThanOrEqualTo(MessageLimits.MostLogCharacters);
            lines.AddRange(progress.Log);
        }

        lines.Select(l => l.Split(' ')[0]).ShouldBe(Enumerable.Range(0, 100).Select(i => $"{i}"));
    }

    [Fact]
    public void Metric_MoreNamesThanFit_TheFirstOnesStay()
    {
        var relay = new ProgressRelay(TimeProvider.System);
        for (var i = 0; i < 1000; i++)
            relay.Metric($"m{i}", i);

        relay.Metrics.Count.ShouldBe(MessageLimits.MostMetrics);
    }
}
