namespace Espalier.Datasets.Selection;

/// <summary>Which documents of a cluster come first.</summary>
public enum KeepPreference
{
    /// <summary>Those far from their prototype, where text is plentiful.</summary>
    Hard,

    /// <summary>Those near to their prototype, where text is scarce.</summary>
    Easy,
}

/// <summary>How many training documents of each domain are kept, and which.</summary>
/// <param name="Fraction">Share of the documents, above 0 and at most 1.</param>
public sealed record KeepRequest(double Fraction)
{
    /// <summary>Which come first.</summary>
    /// <value>hard</value>
    public KeepPreference Prefer { get; init; } = KeepPreference.Hard;

    /// <summary>Prototypes of a domain; fewer where it has few documents.</summary>
    /// <value>32</value>
    public int Clusters { get; init; } = 32;

    /// <summary>Of the sample and of the first prototypes.</summary>
    /// <value>0</value>
    public long Seed { get; init; }
}
