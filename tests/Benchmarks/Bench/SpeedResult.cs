namespace Espalier.Bench;

/// <summary>Ours beside the fastest peer for one shape and work.</summary>
internal sealed record SpeedResult
{
    public required string Shape { get; init; }

    public required BenchWorkKind Work { get; init; }

    public required long Parameters { get; init; }

    /// <summary>The fastest peer: its engine and version. Null when ours was measured alone.</summary>
    public string? Peer { get; init; }

    /// <summary>What was seen of slower peers.</summary>
    public string? OtherPeers { get; init; }

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
