using Espalier.Contracts;

namespace Espalier.Datasets.Sources;

/// <summary>What a source gives before it is split.</summary>
/// <param name="Source">What the dataset says about its origin.</param>
/// <param name="Domains">Text by domain.</param>
/// <param name="Questions">Multiple-choice sets made from material beside the text.</param>
internal sealed record SourceText(string Source, IReadOnlyList<DomainText> Domains, IReadOnlyList<QuestionSource> Questions);

/// <summary>Text of one domain.</summary>
/// <param name="Name">The domain.</param>
/// <param name="Licence">Licence of the text.</param>
/// <param name="Packages">Where it came from.</param>
/// <param name="Documents">Documents in order, as they are; read once, while they are asked for.</param>
internal sealed record DomainText(string Name, string Licence, IReadOnlyList<string> Packages, IAsyncEnumerable<Document> Documents)
{
    /// <summary>Documents that were left out before, because an earlier one has the same text.</summary>
    public int Duplicates { get; init; }

    /// <summary>What is said when there is no text in it.</summary>
    public string WhenEmpty { get; init; } = $"The domain '{Name}' holds no text.";
}

/// <summary>Clean documents in memory, for what is known to be small.</summary>
/// <param name="Documents">Documents in order, without empty ones.</param>
/// <param name="Duplicates">How many more there were with the text of an earlier one.</param>
internal sealed record CleanDocuments(IReadOnlyList<Document> Documents, int Duplicates)
{
    /// <summary>Cleans documents, drops empty ones, and drops those whose text came before.</summary>
    public static CleanDocuments Of(IEnumerable<Document> documents)
    {
        var kept = new List<Document>();
        var texts = new HashSet<string>();
        var duplicates = 0;
        foreach (var document in documents)
        {
            var text = TextCleaning.Clean(document.Text);
            if (text.Length == 0)
                continue;
            if (texts.Add(text))
                kept.Add(document with { Text = text });
            else
                duplicates++;
        }
        return new CleanDocuments(kept, duplicates);
    }
}

/// <summary>Makes one multiple-choice set once the split is known.</summary>
/// <param name="Name">Name of the set.</param>
/// <param name="Build">From the ids of the held-out documents by domain of the source, to questions.</param>
internal sealed record QuestionSource(string Name, Func<IReadOnlyDictionary<string, IReadOnlySet<string>>, IEnumerable<MultipleChoiceItem>> Build);
