using System.Globalization;
using Espalier.Cli.Terminals;
using Spectre.Console;

namespace Espalier.Bench;

/// <summary>Measurements as text.</summary>
internal static class BenchTables
{
    private const string None = "-";

    public static void Write(Terminal terminal, MachinePeaks peaks)
    {
        terminal.Output.WriteLine(
            Text($"machine: fp32 product {peaks.Fp32Gflops:f0} GFLOP/s (BLAS {peaks.BlasGflops:f0}, our kernel {peaks.KernelGflops:f0}),"));
        terminal.Output.WriteLine(Text($"         bf16 {peaks.Bf16Gflops:f0}, copy {peaks.MemoryGigabytes:f1} GB/s"));
        terminal.Output.WriteLine($"         {peaks.NumericsClass}");
    }

    public static void Write(Terminal terminal, IReadOnlyList<SpeedResult> results)
    {
        var table = new Table().RoundedBorder();
        string[] headings =
        [
            "work", "shape", "ratio", "spread", "limit", "tokens/s", "peer", "peer tokens/s", "GEMM share", "GB moved", "of copy rate",
            "peak memory", "peer's", "memory ratio",
        ];
        foreach (var heading in headings)
            table.AddColumn(new TableColumn(heading).NoWrap());
        foreach (var r in results)
        {
            table.AddRow(
                r.Work == BenchWorkKind.Train ? "train" : "forward", r.Shape,
                Times(r.Ratio, "0.00"), r.Ratio is null ? None : Text($"{r.RatioLow:0.00}-{r.RatioHigh:0.00}"), Times(r.RatioLimit, "0.0"),
                Text($"{r.TokensPerSecond:f0} {r.Mode}"), r.Peer ?? None, r.Peer is null ? None : Text($"{r.PeerTokensPerSecond:f0} {r.PeerMode}"),
                Text($"{100 * r.GemmShare:f0} %"), r.BytesMoved is { } moved ? Text($"{moved / 1e9:0.00}") : None,
                r.MemoryShare is { } share ? Text($"{100 * share:f0} %") : None,
                Amounts.Bytes(r.PeakBytes), r.PeerPeakBytes is { } bytes ? Amounts.Bytes(bytes) : None,
                r.MemoryRatio is { } memory ? Text($"{memory:0.00}") : None);
        }
        terminal.Write(table);
        foreach (var r in results.Where(r => r.OtherMode is not null))
            terminal.Output.WriteLine($"ours, other mode, {r.Shape} {r.Work}: {r.OtherMode}");
        foreach (var r in results.Where(r => r.PeerOtherMode is not null))
            terminal.Output.WriteLine($"peer, other mode, {r.Shape} {r.Work}: {r.PeerOtherMode}");
        foreach (var r in results.Where(r => r.OtherPeers is not null))
            terminal.Output.WriteLine($"slower peers, {r.Shape} {r.Work}: {r.OtherPeers}");
    }

    public static void Write(Terminal terminal, GrowthCost cost) => terminal.Output.WriteLine(
        Text($"small, 8 to 64 experts: +{1000 * cost.AddedSeconds:f0} ms a step, {cost.Ratio:0.00}x the {1000 * cost.TrafficSeconds:f0} ms that ")
        + Text($"the optimizer's traffic needs; step {cost.StepRatio:0.00}x") + (cost.PeerStepRatio is { } peer ? Text($", peer's {peer:0.00}x") : ""));

    public static void Write(Terminal terminal, LoadMeasurement load) => terminal.Output.WriteLine(
        Text($"load: opening {load.CheckpointBytes / 1e9:0.00} GB and reading one layer of {load.LayerBytes / 1e6:f0} MB: ")
        + Text($"first {load.FirstMilliseconds:f0} ms, warm {load.WarmMilliseconds:f0} ms (slowest {load.WarmHighMilliseconds:f0}); ")
        + $"{Amounts.Bytes(load.AddedBytes)} beside the layer");

    public static void Write(Terminal terminal, LossCurves curves, string path) => terminal.Output.WriteLine(
        Text($"curves: {curves.Steps} steps, fused against plain: largest difference of 20-step means {curves.LargestDifference:0.00000} nats ")
        + Text($"(tolerance {curves.Tolerance}); {path}"));

    public static void WriteProfile(Terminal terminal, BenchShape shape, StepProfile profile)
    {
        var table = new Table().RoundedBorder().AddColumn("part").AddColumn("ms a step").AddColumn("share");
        foreach (var (part, seconds) in profile.Parts)
            table.AddRow(part, Text($"{1000 * seconds:0.00}"), Text($"{100 * seconds / profile.StepSeconds:f1} %"));
        terminal.Output.WriteLine(Text($"{shape.Name}: {1000 * profile.StepSeconds:0.0} ms a step, {shape.Tokens / profile.StepSeconds:f0} tokens/s"));
        terminal.Write(table);
    }

    /// <summary>How many times as much, or a dash where there is nothing to compare with.</summary>
    internal static string Times(double? ratio, string format) => ratio is { } value ? value.ToString(format, CultureInfo.InvariantCulture) + "x" : None;

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
