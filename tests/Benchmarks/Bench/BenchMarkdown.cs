using System.Globalization;
using System.Text;
using Espalier.Cli.Terminals;

namespace Espalier.Bench;

/// <summary>Measurements as a page of Markdown, which is committed: <c>tests/Benchmarks/results/speed.md</c>.</summary>
internal static class BenchMarkdown
{
    /// <summary>The page.</summary>
    /// <param name="peaks">Of the machine.</param>
    /// <param name="results">One for each work and shape.</param>
    /// <param name="growth">What growth costs, or null when that was not measured.</param>
    /// <param name="load">What opening a checkpoint costs, or null likewise.</param>
    public static string Of(MachinePeaks peaks, IReadOnlyList<SpeedResult> results, GrowthCost? growth, LoadMeasurement? load)
    {
        var page = new StringBuilder();
        Line(page, $"Written by `./espalier bench all --markdown`. Columns are explained in ../README.md.");
        Line(page, $"");
        Line(page, $"Machine: {peaks.NumericsClass}; fp32 product {peaks.Fp32Gflops:f0} GFLOP/s (MKL {peaks.BlasGflops:f0}, our kernel {peaks.KernelGflops:f0}),");
        Line(page, $"bf16 {peaks.Bf16Gflops:f0} GFLOP/s, memory copy {peaks.MemoryGigabytes:f1} GB/s.");
        Line(page, $"");
        Line(page, $"| shape | work | ratio (spread) | limit | ours tokens/s | peer | peer tokens/s | slower | GEMM share | GB moved, of copy rate | memory, ours over the peer's |");
        Line(page, $"|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var r in results)
        {
            var work = r.Work == BenchWorkKind.Train ? "training step" : "forward only";
            page.Append(CultureInfo.InvariantCulture, $"| {r.Shape} | {work} | {r.Ratio:0.00} ({r.RatioLow:0.00} to {r.RatioHigh:0.00}) | {r.RatioLimit:0.0} ");
            page.Append(CultureInfo.InvariantCulture, $"| {r.TokensPerSecond:n0} {r.Mode} | {r.Peer} | {r.PeerTokensPerSecond:n0} {r.PeerMode} | {r.OtherPeers} ");
            var moved = r.BytesMoved is { } bytes ? string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.0}, {100 * r.MemoryShare:f0} %") : "-";
            Line(page, $"| {100 * r.GemmShare:f0} % | {moved} | {r.MemoryRatio:0.00} |");
        }
        if (growth is not null)
        {
            Line(page, $"");
            Line(page, $"Shape small grown from 8 to 64 experts: {1000 * growth.AddedSeconds:f0} ms more a step, {growth.Ratio:0.00} of what the optimizer's");
            Line(page, $"traffic needs at the copy rate ({1000 * growth.TrafficSeconds:f0} ms); step {growth.StepRatio:0.00} times as long, the peer's {growth.PeerStepRatio:0.00}.");
        }
        if (load is not null)
        {
            Line(page, $"");
            Line(page, $"Opening a checkpoint of {load.CheckpointBytes / 1e9:0.0} GB and reading one layer of {load.LayerBytes / 1e6:f0} MB: first {load.FirstMilliseconds:f0} ms, then");
            Line(page, $"{load.WarmMilliseconds:f0} ms (slowest {load.WarmHighMilliseconds:f0} ms); {Amounts.Bytes(load.AddedBytes)} of memory beside the layer.");
        }
        return page.ToString();
    }

    private static void Line(StringBuilder page, FormattableString text) => page.Append(text.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
