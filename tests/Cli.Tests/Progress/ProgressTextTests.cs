using Espalier.Cli.Progress;
using Espalier.Contracts;

namespace Espalier.Cli.Tests.Progress;

public sealed class ProgressTextTests
{
    [Fact]
    public void Describe_Progress_HasAmountRateAndTimeLeft()
    {
        var progress = new StepProgress
        {
            Step = new StepAddress(Guid.Empty, "cpt", Digest.Of("k"u8)), Fence = 1, Phase = "training", Done = 1_200_000, Total = 5_000_000, Unit = "tokens",
            Metrics = new Dictionary<string, double> { ["loss"] = 3.2141 },
        };

        ProgressText.Describe(progress, 10_000).ShouldBe("1.20M of 5.00M tokens, 10.0k/s, 6m20s left, loss 3.214");
        ProgressText.Describe(progress with { Total = 0 }, 0).ShouldBe("loss 3.214");
        var foretold = new Dictionary<string, double>(progress.Metrics) { ["expected-final-loss"] = 2.951, ["expected-final-loss-high"] = 3.031 };
        ProgressText.Describe(progress with { Metrics = foretold }, 0).ShouldEndWith("loss 3.214, 2.95 ± 0.08 expected at the end");
    }

    [Fact]
    public void Describe_Step_SaysHowItEnded()
    {
        ProgressText.Describe(new StepNews("slim", "prune", StepState.Succeeded, 1, "", TimeSpan.FromSeconds(75))).ShouldBe("slim (prune): succeeded in 1m15s");
        ProgressText.Describe(new StepNews("slim", "prune", StepState.Running, 2, "", null)).ShouldBe("slim (prune): running (attempt 2)");
        ProgressText.Describe(new StepNews("slim", "prune", StepState.Failed, 1, "no text", null)).ShouldBe("slim (prune): failed: no text");
        ProgressText.Describe(new StepNews("slim", "prune", StepState.Ready, 2, "The disk is full.", null))
            .ShouldBe("slim (prune): attempt 2 failed and is retried: The disk is full.");
    }

    [Fact]
    public void Add_Readings_GivesRateOverTheWindow()
    {
        var time = new ManualTime();
        var meter = new RateMeter(time);

        meter.Add(Tokens(100)).ShouldBe(0);
        time.Now += TimeSpan.FromSeconds(2);
        meter.Add(Tokens(200)).ShouldBe(50, 0.01);
        time.Now += TimeSpan.FromSeconds(20);
        meter.Add(Tokens(2200)).ShouldBe(100, 0.01);
        time.Now += TimeSpan.FromSeconds(1);
        meter.Add(Tokens(5)).ShouldBe(0, "a new attempt starts over");
    }

    [Fact]
    public void Add_StepThatGoesOnInTheMiddle_CountsOnlyWhatIsDoneSince()
    {
        var time = new ManualTime();
        var meter = new RateMeter(time);

        meter.Add(Tokens(0)).ShouldBe(0);
        time.Now += TimeSpan.FromSeconds(1);
        meter.Add(Tokens(500_000)).ShouldBe(0, "the saved position was not done in this second");
        time.Now += TimeSpan.FromSeconds(2);
        meter.Add(Tokens(500_100)).ShouldBe(50, 0.01);
    }

    [Fact]
    public void Add_AnotherUnit_StartsOver()
    {
        var time = new ManualTime();
        var meter = new RateMeter(time);

        meter.Add(Tokens(3) with { Unit = "batches" });
        time.Now += TimeSpan.FromSeconds(1);
        meter.Add(Tokens(1000)).ShouldBe(0);
        time.Now += TimeSpan.FromSeconds(1);
        meter.Add(Tokens(1010)).ShouldBe(10, 0.01);
    }

    private static StepProgress Tokens(long done) =>
        new() { Step = new StepAddress(Guid.Empty, "cpt", Digest.Of("k"u8)), Fence = 1, Phase = "training", Done = done, Total = 1_000_000, Unit = "tokens" };

    private sealed class ManualTime : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
