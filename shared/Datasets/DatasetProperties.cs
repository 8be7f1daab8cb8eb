namespace Espalier.Datasets;

/// <summary>What a dataset's manifest says about it.</summary>
public sealed record DatasetProperties
{
    /// <summary>
    /// <c>corpus:NAME</c>, <c>file</c>, <c>dir</c>, <c>jsonl</c>, <c>parquet</c> or <c>dataset:NAME@VERSION</c>, several with a plus between
    /// them; a user's path does not belong in an artifact.
    /// </summary>
    public required string Source { get; init; }

    /// <summary>Facts by domain.</summary>
    public required IReadOnlyDictionary<string, DomainProperties> Domains { get; init; }

    /// <summary>Share of each domain in training where the sources have weights; null for by size.</summary>
    public IReadOnlyDictionary<string, double>? Mixture { get; init; }

    /// <summary>Number of questions by file name under <c>multiple-choice/</c>.</summary>
    public IReadOnlyDictionary<string, int> MultipleChoice { get; init; } = new Dictionary<string, int>();
}

/// <summary>What one domain is and where it came from.</summary>
public sealed record DomainProperties
{
    /// <summary>Licence of the text.</summary>
    public string Licence { get; init; } = "";

    /// <summary>Packages it was extracted from, with the versions that were found.</summary>
    public IReadOnlyList<string> Packages { get; init; } = [];

    /// <summary>Documents left out because an earlier one has the same text.</summary>
    public int Duplicates { get; init; }

    /// <summary>Documents left out because an earlier one has nearly the same text; null where nobody looked for them.</summary>
    public int? NearDuplicates { get; init; }

    /// <summary>Training documents left out because they hold evaluation items; null where they stay.</summary>
    public int? Contaminated { get; init; }

    /// <summary>Training documents left out because only a share of them was asked for; null where all are kept.</summary>
    public int? Pruned { get; init; }

    /// <summary>Size of each split.</summary>
    public required IReadOnlyDictionary<string, SplitSize> Splits { get; init; }
}

/// <summary>Size of one split of one domain.</summary>
/// <param name="Documents">Number of documents.</param>
/// <param name="SizeBytes">UTF-8 bytes of text.</param>
public sealed record SplitSize(int Documents, long SizeBytes);
