using Espalier.Datasets.Selection;
using Espalier.Pipelines.Options;

namespace Espalier.CptTrainer.Options;

/// <summary>How documents are chosen.</summary>
public enum KeepMethod
{
    /// <summary>By their distance to prototypes.</summary>
    Prototypes,
}

/// <summary>Which training documents of a dataset are kept.</summary>
public sealed record KeepOptions
{
    /// <summary>Share of the documents.</summary>
    [Option("Share of the training documents of each domain to keep; a smaller share is a part of a larger one.", Required = true, Min = 1e-6, Max = 1)]
    public double Fraction { get; init; }

    /// <summary>How they are chosen.</summary>
    /// <value>prototypes</value>
    [Option("prototypes: by the distance of a document's words to the nearest of the domain's prototypes (k-means over hashed words and pairs of words).")]
    public KeepMethod Method { get; init; } = KeepMethod.Prototypes;

    /// <summary>Which come first.</summary>
    /// <value>hard</value>
    [Option("hard: documents far from their prototype first, where text is plentiful; easy: near ones, where it is scarce. Half of the places go to every "
        + "prototype by its share.")]
    public KeepPreference Prefer { get; init; } = KeepPreference.Hard;

    /// <summary>Prototypes of a domain.</summary>
    /// <value>32</value>
    [Option("Prototypes of a domain; about as many as it has kinds of text, and not sensitive.", Min = 1, Max = 4096)]
    public int Clusters { get; init; } = 32;

    /// <summary>Seed of the prototypes.</summary>
    /// <value>0</value>
    [Option("Seed of the documents in which prototypes are looked for, and of the first prototypes.")]
    public long Seed { get; init; }
}
