namespace Espalier.Bench;

/// <summary>
/// What a step of <c>small</c> costs more after growth from 8 to 64 experts at the same number per token: the arithmetic
/// is the same, so what is left is the optimizer's traffic of the new weights.
/// </summary>
/// <param name="AddedSeconds">Time of a step with 64 experts less that with 8.</param>
/// <param name="TrafficSeconds">Time that the optimizer's traffic for the added weights needs at the measured bandwidth.</param>
/// <param name="Ratio">The first over the second.</param>
/// <param name="StepRatio">Step with 64 experts over step with 8, ours.</param>
/// <param name="PeerStepRatio">The same of the peer.</param>
internal sealed record GrowthCost(double AddedSeconds, double TrafficSeconds, double Ratio, double StepRatio, double? PeerStepRatio)
{
    public static GrowthCost Of(SpeedResult small, SpeedResult grown, MachinePeaks peaks)
    {
        var (before, after) = (Shape("small"), Shape("small-64"));
        var (secondsBefore, secondsAfter) = (before.Tokens / small.TokensPerSecond, after.Tokens / grown.TokensPerSecond);
        var traffic = (after.OptimizerBytes - before.OptimizerBytes) / (peaks.MemoryGigabytes * 1e9);
        var added = secondsAfter - secondsBefore;
        return new GrowthCost(added, traffic, added / traffic, secondsAfter / secondsBefore, small.PeerTokensPerSecond / grown.PeerTokensPerSecond);
    }

    private static BenchShape Shape(string name) => BenchShape.All.First(s => s.Name == name);
}
