namespace Espalier.Modeling;

/// <summary>How routers are trained.</summary>
public enum RouterKind
{
    /// <summary>By their gradients.</summary>
    Learned,

    /// <summary>
    /// Not by gradients: the row of an expert is the direction of a running mean of the tokens that were routed to it
    /// (online k-means, arXiv 2605.12476).
    /// </summary>
    KMeans,
}
