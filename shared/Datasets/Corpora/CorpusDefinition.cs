using Espalier.Datasets.Packages;

namespace Espalier.Datasets.Corpora;

/// <summary>A named set of domains.</summary>
/// <param name="Name">What follows <c>corpus:</c>.</param>
/// <param name="Description">One sentence that lists show.</param>
/// <param name="Domains">Its domains.</param>
internal sealed record CorpusDefinition(string Name, string Description, params IReadOnlyList<DomainDefinition> Domains)
{
    /// <summary>Questions that need material of their own.</summary>
    public IReadOnlyList<QuestionDefinition> Questions { get; init; } = [];
}

/// <summary>One kind of text.</summary>
/// <param name="Name">The domain's name in datasets, mixing weights and reports.</param>
/// <param name="Licence">Licence of the text.</param>
/// <param name="Parts">Where it comes from, in order.</param>
internal sealed record DomainDefinition(string Name, string Licence, params IReadOnlyList<TextPart> Parts)
{
    /// <summary>At most so many bytes of text, chosen by hash; null for all.</summary>
    public long? Limit { get; init; }

    /// <summary>SHA-256 over ids and clean texts of everything extracted, before any limit; null where there is no package to drift.</summary>
    public string? Digest { get; init; }
}

/// <summary>Text from one package.</summary>
/// <param name="Package">The package, or null for text that the program makes itself.</param>
/// <param name="Wants">Which of its files are read.</param>
/// <param name="Extract">Makes documents of them.</param>
internal sealed record TextPart(PackageId? Package, Func<string, bool> Wants, Func<IReadOnlyDictionary<string, byte[]>, IEnumerable<Document>> Extract);

/// <summary>Questions from one package.</summary>
/// <param name="Name">Name of the multiple-choice set.</param>
/// <param name="Package">The package.</param>
/// <param name="Wants">Which of its files are read.</param>
/// <param name="Build">Makes questions of the files and the ids of held-out documents by domain.</param>
internal sealed record QuestionDefinition(
    string Name,
    PackageId Package,
    Func<string, bool> Wants,
    Func<IReadOnlyDictionary<string, byte[]>, IReadOnlyDictionary<string, IReadOnlySet<string>>, IEnumerable<MultipleChoiceItem>> Build);
