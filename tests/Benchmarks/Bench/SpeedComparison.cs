using Espalier.Contracts;

namespace Espalier.Bench;

/// <summary>
/// Runs ours and the peers in turn, A B C A B C, each in a process of its own with the same model shape, tokens and threads,
/// and compares ours with the fastest peer turn by turn: what else the machine does then touches both sides alike.
/// </summary>
internal sealed class SpeedComparison(MachinePeaks peaks, int pairs, IReadOnlyList<Peer> peers, Action<string> say)
{
    private const string OwnName = "ours";
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    public async Task<SpeedResult> RunAsync(BenchShape shape, BenchWorkKind kind, CancellationToken cancellationToken)
    {
        var (sides, absent) = (new List<Side>(), new List<string>());
        try
        {
            sides.Add(await StartAsync(OwnName, shape, Ours, cancellationToken).ConfigureAwait(false));
            foreach (var peer in peers)
            {
                await OrAbsentAsync(peer.Name, absent, async () =>
                    sides.Add(await StartAsync(peer.Name, shape, precision => peer.Start(shape, kind, precision), cancellationToken).ConfigureAwait(false)))
                    .ConfigureAwait(false);
            }
            for (var pair = 0; pair < pairs; pair++)
            {
                foreach (var side in sides.ToList())
                {
                    if (await OrAbsentAsync(side.Name, absent, () => side.TurnAsync(cancellationToken)).ConfigureAwait(false))
                        continue;
                    side.Dispose();
                    sides.Remove(side);
                }
                var rates = string.Join(", ", sides.Select(s => $"{s.Name} {s.Mode} {Rate(shape, s.Turns[^1]):f0}"));
                say($"{shape.Name} {kind}: turn {pair + 1} of {pairs}: {rates} tokens/s");
            }
            var ours = sides[0];
            var result = Result(shape, kind, ours.Turns) with { Mode = ours.Mode, OtherMode = ours.Other };
            if (sides.Count > 1)
                result = Compare(result, shape, kind, ours, [.. sides.Skip(1).OrderByDescending(s => MedianRate(shape, s))]);
            return absent.Count == 0 ? result : result with { OtherPeers = string.Join("; ", absent.Prepend(result.OtherPeers).OfType<string>()) };
        }
        finally
        {
            sides.ForEach(s => s.Dispose());
        }

        BenchProcess? Ours(string precision) =>
            precision == "fp32" || HasBf16 ? BenchProcess.Own(BenchWorker.OwnSide, shape, kind, precision) : null;
    }

    // A peer that fails is left out of this shape, and the result says why; without ours there is nothing to measure.
    private async Task<bool> OrAbsentAsync(string name, List<string> absent, Func<Task> measure)
    {
        try
        {
            await measure().ConfigureAwait(false);
            return true;
        }
        catch (UserInputException exception) when (name != OwnName)
        {
            absent.Add(exception.Message);
            say(exception.Message);
            return false;
        }
    }

    // Peers: the fastest first.
    private SpeedResult Compare(SpeedResult result, BenchShape shape, BenchWorkKind kind, Side ours, IReadOnlyList<Side> ranked)
    {
        var peer = ranked[0];
        var ratios = ours.Turns.Zip(peer.Turns, (x, y) => Rate(shape, x) / Rate(shape, y)).Order().ToList();
        var last = peer.Turns[^1];
        return result with
        {
            Peer = peer.Name,
            OtherPeers = ranked.Count == 1 ? null : string.Join("; ", ranked.Skip(1).Select(s => $"{s.Name}: {MedianRate(shape, s):f0} tokens/s in {s.Mode}")),
            PeerMode = peer.Mode,
            PeerOtherMode = peer.Other,
            Ratio = Median(ratios),
            RatioLow = ratios[0],
            RatioHigh = ratios[^1],
            PeerTokensPerSecond = MedianRate(shape, peer),
            RatioLimit = peaks.Fp32Gflops * 1e9 / (Flops(shape, kind) / shape.Tokens * MedianRate(shape, peer)),
            PeerPeakBytes = last.StepBytes,
            MemoryRatio = (double)result.PeakBytes / last.StepBytes,
            PeerLoss = last.Loss,
        };
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
    private static async Task<Side> StartAsync(string name, BenchShape shape, Func<string, BenchProcess?> start, CancellationToken cancellationToken)
    {
        var fp32 = start("fp32")!;
        await Answer(fp32, name, 1, cancellationToken).ConfigureAwait(false); // warm
        var wide = await Answer(fp32, name, 1, cancellationToken).ConfigureAwait(false);
        if (start("bf16") is not { } bf16)
            return new Side(name, fp32, "fp32", "bf16: not tried, this processor has no such arithmetic", wide.Seconds[0]);
        var limit = TimeSpan.FromSeconds(12 + 4 * wide.Seconds[0]);
        if (await bf16.RunAsync(1, limit, cancellationToken).ConfigureAwait(false) is null)
        {
            bf16.Dispose();
            return new Side(name, fp32, "fp32", $"bf16: no step within {limit.TotalSeconds:f0} s", wide.Seconds[0]);
        }
        var half = await Answer(bf16, name, 1, cancellationToken).ConfigureAwait(false);
        var isFaster = half.Seconds[0] < wide.Seconds[0];
        (isFaster ? fp32 : bf16).Dispose();
        return isFaster
            ? new Side(name, bf16, "bf16", $"fp32: {Rate(shape, wide):f0} tokens/s", half.Seconds[0])
            : new Side(name, fp32, "fp32", $"bf16: {Rate(shape, half):f0} tokens/s", wide.Seconds[0]);
    }

    private static async Task<BenchTurn> Answer(BenchProcess process, string name, int steps, CancellationToken cancellationToken) =>
        await process.RunAsync(steps, Limit, cancellationToken).ConfigureAwait(false)
        ?? throw new UserInputException(NoAnswer(name, process.LastError));

    /// <summary>Why a side was not measured, as sentences with one full stop each.</summary>
    internal static string NoAnswer(string name, string? lastError)
    {
        var reason = lastError?.Trim().TrimEnd('.', ':').TrimEnd();
        return $"{name} gave no answer: {(string.IsNullOrEmpty(reason) ? "it took too long" : reason)}.";
    }

    private static double MedianRate(BenchShape shape, Side side) => Median(side.Turns.Select(t => Rate(shape, t)));

    private static double Rate(BenchShape shape, BenchTurn turn) => shape.Tokens / Median(turn.Seconds);

    private static double Flops(BenchShape shape, BenchWorkKind kind) => kind == BenchWorkKind.Train ? shape.StepFlops : shape.ForwardFlops;

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }

    // A process in its faster mode, how long a step took in it, and what was seen of the other mode.
    private sealed record Side(string Name, BenchProcess Process, string Mode, string Other, double StepSeconds) : IDisposable
    {
        private readonly int _steps = (int)Math.Clamp(Math.Round(Turn.TotalSeconds / StepSeconds), 1, 30);

        public List<BenchTurn> Turns { get; } = [];

        public async Task TurnAsync(CancellationToken cancellationToken) =>
            Turns.Add(await Answer(Process, Name, _steps, cancellationToken).ConfigureAwait(false));

        public void Dispose() => Process.Dispose();
    }
}
