using System.Globalization;
using System.Text;
using Espalier.Cli.Terminals;

namespace Espalier.Bench;

/// <summary>Measurements as a page of Markdown, which is committed: <c>tests/Benchmarks/results/speed.md</c>.</summary>
internal static class BenchMarkdown
{
    private const string None = "-";

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
        Line(page, $"Machine: {peaks.NumericsClass}; fp32 product {peaks.Fp32Gflops:f0} GFLOP/s (MKL {peaks.BlasGflops:f0},");
        Line(page, $"our kernel {peaks.KernelGflops:f0}), bf16 {peaks.Bf16Gflops:f0} GFLOP/s, memory copy {peaks.MemoryGigabytes:f1} GB/s.");
        Line(page, $"");
        string[] headings =
        [
            "shape", "work", "ratio (spread)", "limit", "ours tokens/s", "peer", "peer tokens/s", "slower", "GEMM share", "GB moved, of copy rate",
            "memory, ours over the peer's",
        ];
        Line(page, $"| {string.Join(" | ", headings)} |");
        Line(page, $"|{string.Concat(headings.Select(_ => "---|"))}");
        foreach (var r in results)
            Line(page, $"| {string.Join(" | ", Cells(r))} |");
        if (growth is not null)
        {
            Line(page, $"");
            var peer = growth.PeerStepRatio is { } ratio ? Text($", the peer's {ratio:0.00}") : "";
            Line(page, $"Shape small grown from 8 to 64 experts: {1000 * growth.AddedSeconds:f0} ms more a step, {growth.Ratio:0.00} of what the");
            Line(page, $"optimizer's traffic needs at the copy rate ({1000 * growth.TrafficSeconds:f0} ms); step {growth.StepRatio:0.00} times as long{peer}.");
        }
        if (load is not null)
        {
            Line(page, $"");
            Line(page, $"Opening a checkpoint of {load.CheckpointBytes / 1e9:0.0} GB and reading one layer of {load.LayerBytes / 1e6:f0} MB:");
            Line(page, $"first {load.FirstMilliseconds:f0} ms, then {load.WarmMilliseconds:f0} ms (slowest {load.WarmHighMilliseconds:f0} ms);");
            Line(page, $"{Amounts.Bytes(load.AddedBytes)} of memory beside the layer.");
        }
        return page.ToString();
    }

    // A dash where there is nothing to compare with.
    private static IEnumerable<string> Cells(SpeedResult r) =>
    [
        r.Shape,
        r.Work == BenchWorkKind.Train ? "training step" : "forward only",
        r.Ratio is { } ratio ? Text($"{ratio:0.00} ({r.RatioLow:0.00} to {r.RatioHigh:0.00})") : None,
        r.RatioLimit is { } limit ? Text($"{limit:0.0}") : None,
        Text($"{r.TokensPerSecond:n0} {r.Mode}"),
        r.Peer ?? None,
        r.Peer is null ? None : Text($"{r.PeerTokensPerSecond:n0} {r.PeerMode}"),
        r.OtherPeers ?? None,
        Text($"{100 * r.GemmShare:f0} %"),
        r.BytesMoved is { } bytes ? Text($"{bytes / 1e9:0.0}, {100 * r.MemoryShare:f0} %") : None,
        r.MemoryRatio is { } memory ? Text($"{memory:0.00}") : None,
    ];

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static void Line(StringBuilder page, FormattableString text) => page.Append(text.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
