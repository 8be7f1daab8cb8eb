using Espalier.Contracts;

namespace Espalier.Cli.Bench;

/// <summary>Ours beside the peer for one shape and work.</summary>
internal sealed record SpeedResult
{
    public required string Shape { get; init; }

    public required BenchWorkKind Work { get; init; }

    public required long Parameters { get; init; }

    /// <summary>Median over pairs of ours over the peer's best mode, in tokens per second.</summary>
    public double? Ratio { get; init; }

    public double? RatioLow { get; init; }

    public double? RatioHigh { get; init; }

    public int Pairs { get; init; }

    public required double TokensPerSecond { get; init; }

    public double? PeerTokensPerSecond { get; init; }

    /// <summary>Our faster mode, fp32 or bf16.</summary>
    public string? Mode { get; init; }

    /// <summary>What was seen of our other mode.</summary>
    public string? OtherMode { get; init; }

    /// <summary>The peer's faster mode, fp32 or bf16.</summary>
    public string? PeerMode { get; init; }

    /// <summary>What was seen of the peer's other mode.</summary>
    public string? PeerOtherMode { get; init; }

    /// <summary>Arithmetic done per second over the machine's fp32 peak.</summary>
    public required double GemmShare { get; init; }

    /// <summary>The largest ratio that is possible in fp32: the peak over what the peer does of it.</summary>
    public double? RatioLimit { get; init; }

    /// <summary>Modelled bytes that a step moves, and the share of the copy bandwidth that this is.</summary>
    public double? BytesMoved { get; init; }

    public double? MemoryShare { get; init; }

    /// <summary>Peak memory of the process above its start.</summary>
    public required long PeakBytes { get; init; }

    public long? PeerPeakBytes { get; init; }

    public double? MemoryRatio { get; init; }

    /// <summary>Loss of the last step; both sides see the same tokens from weights of the same distribution.</summary>
    public double Loss { get; init; }

    public double? PeerLoss { get; init; }
}

/// <summary>
/// Runs ours and the peer in turn, A B A B, each in a process of its own with the same model shape, tokens, threads and
/// BLAS kernel, and compares turn by turn: what else the machine does then touches both sides of a pair alike.
/// </summary>
internal sealed class SpeedComparison(MachinePeaks peaks, int pairs, bool isAlone, Action<string> say)
{
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    public async Task<SpeedResult> RunAsync(BenchShape shape, BenchWorkKind kind, CancellationToken cancellationToken)
    {
        var own = await BestAsync("ours", shape, precision => precision == "fp32" || HasBf16 ? BenchProcess.Ours(shape, kind, precision) : null, cancellationToken).ConfigureAwait(false);
        using var ours = own.Process;
        var steps = Steps(await Answer(ours, "ours", 1, cancellationToken).ConfigureAwait(false));
        if (isAlone)
        {
            var turns = new List<BenchTurn>();
            for (var pair = 0; pair < pairs; pair++)
                turns.Add(await Answer(ours, "ours", steps, cancellationToken).ConfigureAwait(false));
            return Result(shape, kind, turns) with { Mode = own.Mode, OtherMode = own.Other };
        }

        var (peer, mode, other) = await BestAsync("peer", shape, precision => BenchProcess.Peer(shape, kind, precision), cancellationToken).ConfigureAwait(false);
        using (peer)
        {
            var peerSteps = Steps(await Answer(peer, "peer", 1, cancellationToken).ConfigureAwait(false));
            var (a, b) = (new List<BenchTurn>(), new List<BenchTurn>());
            for (var pair = 0; pair < pairs; pair++)
            {
                a.Add(await Answer(ours, "ours", steps, cancellationToken).ConfigureAwait(false));
                b.Add(await Answer(peer, "peer", peerSteps, cancellationToken).ConfigureAwait(false));
                say($"{shape.Name} {kind}: pair {pair + 1} of {pairs}: ours {Rate(shape, a[^1]):f0}, peer {mode} {Rate(shape, b[^1]):f0} tokens/s");
            }
            var ratios = a.Zip(b, (x, y) => Rate(shape, x) / Rate(shape, y)).Order().ToList();
            var peerRate = Median(b.Select(t => Rate(shape, t)));
            var result = Result(shape, kind, a);
            return result with
            {
                Ratio = Median(ratios),
                RatioLow = ratios[0],
                RatioHigh = ratios[^1],
                Pairs = pairs,
                Mode = own.Mode,
                OtherMode = own.Other,
                PeerTokensPerSecond = peerRate,
                PeerMode = mode,
                PeerOtherMode = other,
                RatioLimit = peaks.Fp32Gflops * 1e9 / (Flops(shape, kind) / shape.Tokens * peerRate),
                PeerPeakBytes = b[^1].StepBytes,
                MemoryRatio = (double)result.PeakBytes / b[^1].StepBytes,
                PeerLoss = b[^1].Loss,
            };
        }
    }

    private SpeedResult Result(BenchShape shape, BenchWorkKind kind, List<BenchTurn> turns)
    {
        var rate = Median(turns.Select(t => Rate(shape, t)));
        var bytes = kind == BenchWorkKind.Train ? shape.StepBytes(turns[^1].ActivationBytes) : (double?)null;
        return new SpeedResult
        {
            Shape = shape.Name,
            Work = kind,
            Parameters = shape.Config.TotalParameters,
            Pairs = pairs,
            TokensPerSecond = rate,
            GemmShare = Flops(shape, kind) / shape.Tokens * rate / (peaks.Fp32Gflops * 1e9),
            BytesMoved = bytes,
            MemoryShare = bytes * rate / shape.Tokens / (peaks.MemoryGigabytes * 1e9),
            PeakBytes = turns[^1].StepBytes,
            Loss = turns[^1].Loss,
        };
    }

    // Tensor operations in bf16 are emulated without these instructions, a hundred times slower.
    private static bool HasBf16 => System.Runtime.Intrinsics.X86.Avx512BW.IsSupported;

    // A side in fp32, unless one step in bf16 is faster; a mode that takes twice as long need not be waited for.
    private static async Task<(BenchProcess Process, string Mode, string Other)> BestAsync(
        string side, BenchShape shape, Func<string, BenchProcess?> start, CancellationToken cancellationToken)
    {
        var fp32 = start("fp32")!;
        await Answer(fp32, side, 1, cancellationToken).ConfigureAwait(false); // warm
        var wide = await Answer(fp32, side, 1, cancellationToken).ConfigureAwait(false);
        if (start("bf16") is not { } bf16)
            return (fp32, "fp32", "bf16: not tried, this processor has no such arithmetic");
        var limit = TimeSpan.FromSeconds(12 + 4 * wide.Seconds[0]);
        if (await bf16.RunAsync(1, limit, cancellationToken).ConfigureAwait(false) is null)
        {
            bf16.Dispose();
            return (fp32, "fp32", $"bf16: no step within {limit.TotalSeconds:f0} s");
        }
        var half = await Answer(bf16, side, 1, cancellationToken).ConfigureAwait(false);
        var isFaster = half.Seconds[0] < wide.Seconds[0];
        (isFaster ? fp32 : bf16).Dispose();
        return isFaster
            ? (bf16, "bf16", $"fp32: {Rate(shape, wide):f0} tokens/s")
            : (fp32, "fp32", $"bf16: {Rate(shape, half):f0} tokens/s");
    }

    private static async Task<BenchTurn> Answer(BenchProcess process, string name, int steps, CancellationToken cancellationToken) =>
        await process.RunAsync(steps, Limit, cancellationToken).ConfigureAwait(false)
        ?? throw new UserInputException($"The {(name == "peer" ? "peer (Debian package python3-torch; ESPALIER_PEER_PYTHON names its Python)" : "measured process")} gave no answer: {process.LastError ?? "it took too long"}. Measure ours alone with --alone.");

    private static int Steps(BenchTurn warm) => (int)Math.Clamp(Math.Round(Turn.TotalSeconds / warm.Seconds[^1]), 1, 30);

    private static double Rate(BenchShape shape, BenchTurn turn) => shape.Tokens / Median(turn.Seconds);

    private static double Flops(BenchShape shape, BenchWorkKind kind) => kind == BenchWorkKind.Train ? shape.StepFlops : shape.ForwardFlops;

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }
}
