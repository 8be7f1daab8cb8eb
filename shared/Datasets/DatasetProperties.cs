namespace Espalier.Datasets;

/// <summary>What a dataset's manifest says about it.</summary>
public sealed record DatasetProperties
{
    /// <summary><c>corpus:NAME</c>, <c>file</c>, <c>dir</c> or <c>jsonl</c>; a user's path does not belong in an artifact.</summary>
    public required string Source { get; init; }

    /// <summary>Facts by domain.</summary>
    public required IReadOnlyDictionary<string, DomainProperties> Domains { get; init; }

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

    /// <summary>Size of each split.</summary>
    public required IReadOnlyDictionary<string, SplitSize> Splits { get; init; }
}

/// <summary>Size of one split of one domain.</summary>
/// <param name="Documents">Number of documents.</param>
/// <param name="SizeBytes">UTF-8 bytes of text.</param>
public sealed record SplitSize(int Documents, long SizeBytes);
