using Espalier.Contracts;
using Espalier.Datasets.Selection;

namespace Espalier.Datasets;

/// <summary>Which documents are left out because others have their text.</summary>
public enum Deduplication
{
    /// <summary>Those with exactly the text of an earlier one.</summary>
    Exact,

    /// <summary>Those too that are nearly the same as an earlier one, by MinHash.</summary>
    Near,

    /// <summary>None.</summary>
    None,
}

/// <summary>What happens to training text that shares words in a row with evaluation items.</summary>
public enum ContaminationAction
{
    /// <summary>It is counted, and stays.</summary>
    Report,

    /// <summary>It is left out.</summary>
    Drop,

    /// <summary>The dataset is refused.</summary>
    Fail,
}

/// <summary>One source of text.</summary>
/// <param name="From"><c>corpus:NAME</c>, <c>file:PATH</c>, <c>dir:PATH</c>, <c>jsonl:PATH</c>, <c>parquet:PATH</c> or <c>dataset:NAME@VERSION</c>.</param>
public sealed record TextSource(string From)
{
    /// <summary>Of a registered dataset, the root of its artifact; null for other sources.</summary>
    public Digest? Root { get; init; }

    /// <summary>Field of a record that holds the text; null for <c>text</c>.</summary>
    public string? Field { get; init; }

    /// <summary>Name of its domain, or what stands before the names of its domains; null leaves them as they are.</summary>
    public string? Name { get; init; }

    /// <summary>Share of the training text; null for its own size.</summary>
    public double? Weight { get; init; }

    internal string NameOf(string domain, int domains) => Name is null ? domain : domains == 1 ? Name : $"{Name}-{domain}";
}

/// <summary>What a dataset is made of.</summary>
public sealed record DatasetRequest
{
    /// <summary>Its sources, in order: of two equal documents that of the earlier source stays.</summary>
    public required IReadOnlyList<TextSource> Sources { get; init; }

    /// <summary>At most so many bytes of text per domain; null for all.</summary>
    public long? LimitBytes { get; init; }

    /// <summary>Which duplicates are left out.</summary>
    public Deduplication Deduplicate { get; init; }

    /// <summary>What happens to contaminated training text.</summary>
    public ContaminationAction Contamination { get; init; }

    /// <summary>Which training documents are kept; null for all.</summary>
    public KeepRequest? Keep { get; init; }

    /// <summary>A dataset whose texts and questions are evaluation items as well; null for the questions of this one alone.</summary>
    public ManifestRef? Against { get; init; }
}

/// <summary>A dataset that was made.</summary>
/// <param name="Reference">The artifact.</param>
/// <param name="Duplicates">Documents left out because an earlier one has the same text.</param>
/// <param name="NearDuplicates">Documents left out because an earlier one has nearly the same text.</param>
/// <param name="Contaminated">Training documents that share words in a row with evaluation items.</param>
/// <param name="Pruned">Training documents left out because a share of them was asked for.</param>
public sealed record DatasetBuild(ManifestRef Reference, int Duplicates, int NearDuplicates, int Contaminated, int Pruned);
