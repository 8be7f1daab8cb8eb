namespace Espalier.Quantizer.Folding;

/// <summary>
/// Matrices that read one vector x, and the weight that makes it. With W diag(s) for every reader and 1 / s in the maker the layer computes what
/// it did, so s can be chosen for what rounding loses.
/// </summary>
internal sealed record FoldGroup
{
    /// <summary>Readers that get codes.</summary>
    public required IReadOnlyList<string> Coded { get; init; }

    /// <summary>Readers that keep their weights: routers, the gate of a shared expert. Their columns are scaled too.</summary>
    public IReadOnlyList<string> Plain { get; init; } = [];

    /// <summary>A norm's weight (in), or a matrix (in, ...) whose rows make x. Its elements, or rows, are divided by s.</summary>
    public required string Maker { get; init; }

    /// <summary>The bias of the maker, which is divided too; null when it has none.</summary>
    public string? MakerBias { get; init; }

    /// <summary>Heads of x that are made by the same rows, side by side: query heads of one head of values. 1 where each row makes one channel.</summary>
    public int Repeats { get; init; } = 1;

    /// <summary>Channels of a head, where heads are repeated.</summary>
    public int HeadSize { get; init; } = 1;

    /// <summary>Whether the maker is a norm, which keeps its weights.</summary>
    public required bool MakerIsNorm { get; init; }
}
