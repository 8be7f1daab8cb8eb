using Espalier.Datasets.Sources;

namespace Espalier.Datasets.Building;

/// <summary>A source while a dataset is made of it.</summary>
/// <param name="Source">As it was asked for.</param>
/// <param name="Text">What it gives.</param>
internal sealed record OpenSource(TextSource Source, SourceText Text);

/// <summary>A domain while it is made.</summary>
/// <param name="Name">Its name in the dataset.</param>
/// <param name="Source">The source it comes from.</param>
/// <param name="Text">What the source says of it.</param>
/// <param name="Documents">Its documents in the spool.</param>
internal sealed record DomainDraft(string Name, TextSource Source, DomainText Text, Range Documents)
{
    /// <summary>Whether a document is kept and stands in a split.</summary>
    public static bool IsIn(DocumentSpool spool, int document, string split) => spool.FateOf(document) == Fate.Kept && spool.SplitOf(document) == split;

    /// <summary>Size of one split.</summary>
    public SplitSize SizeOf(DocumentSpool spool, string split)
    {
        var (documents, bytes) = (0, 0L);
        foreach (var document in Numbers(spool).Where(d => IsIn(spool, d, split)))
            (documents, bytes) = (documents + 1, bytes + spool.SizeBytes(document));
        return new SplitSize(documents, bytes);
    }

    /// <summary>Documents of one fate.</summary>
    public int Count(DocumentSpool spool, Fate fate) => Numbers(spool).Count(d => spool.FateOf(d) == fate);

    /// <summary>Documents left out because an earlier one has the same text.</summary>
    public int DuplicatesOf(DocumentSpool spool) => Text.Duplicates + Count(spool, Fate.Duplicate);

    /// <summary>What the manifest says of it.</summary>
    public DomainProperties Describe(DocumentSpool spool, DatasetRequest request) => new()
    {
        Licence = Text.Licence,
        Packages = Text.Packages,
        Duplicates = DuplicatesOf(spool),
        NearDuplicates = request.Deduplicate == Deduplication.Near ? Count(spool, Fate.NearDuplicate) : null,
        Contaminated = request.Contamination == ContaminationAction.Drop ? Count(spool, Fate.Contaminated) : null,
        Pruned = request.Keep is null ? null : Count(spool, Fate.Pruned),
        Splits = DatasetSplits.Stored.ToDictionary(split => split, split => SizeOf(spool, split)),
    };

    /// <summary>A line for the log.</summary>
    public string Summary(DocumentSpool spool)
    {
        var sizes = DatasetSplits.Stored.Select(split => (Split: split, Size: SizeOf(spool, split)));
        var near = Count(spool, Fate.NearDuplicate) is > 0 and var copies ? FormattableString.Invariant($", {copies:N0} near-duplicates") : "";
        return $"{Name}: " + string.Join(", ", sizes.Select(s =>
            FormattableString.Invariant($"{s.Split} {s.Size.Documents:N0} documents, {s.Size.SizeBytes:N0} bytes")))
                + FormattableString.Invariant($"; {DuplicatesOf(spool):N0} duplicates{near} left out");
    }

    private IEnumerable<int> Numbers(DocumentSpool spool)
    {
        var (from, count) = Documents.GetOffsetAndLength(spool.Count);
        return Enumerable.Range(from, count);
    }
}
