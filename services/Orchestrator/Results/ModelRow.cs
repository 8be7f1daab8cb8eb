using Espalier.Contracts;

namespace Espalier.Orchestrator.Results;

/// <summary>One line of the closing table: a model that the run made, and its numbers.</summary>
public sealed record ModelRow
{
    /// <summary>Step that made the model.</summary>
    public required string Model { get; init; }

    /// <summary>How it was made.</summary>
    public required string Kind { get; init; }

    /// <summary>Checkpoint manifest.</summary>
    public required Digest Root { get; init; }

    /// <summary>All parameters.</summary>
    public double? TotalParameters { get; init; }

    /// <summary>Parameters one token passes through.</summary>
    public double? ActiveParameters { get; init; }

    /// <summary>Bytes of the checkpoint.</summary>
    public long StoredBytes { get; init; }

    /// <summary>Bytes that this step added to the store: without those shared with the models it was made from.</summary>
    public long NewBytes { get; init; }

    /// <summary>Held-out loss in nats per token.</summary>
    public double? Loss { get; init; }

    /// <summary>Lower end of its 95 % interval.</summary>
    public double? LossLow { get; init; }

    /// <summary>Upper end of its 95 % interval.</summary>
    public double? LossHigh { get; init; }

    /// <summary>Held-out bits per byte of text.</summary>
    public double? BitsPerByte { get; init; }

    /// <summary>Tokens per second: training for trained models, evaluation for the others.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>Wall time of the step that made it.</summary>
    public double Seconds { get; init; }

    /// <summary>Whether it comes from an earlier run.</summary>
    public bool Cached { get; init; }
}
