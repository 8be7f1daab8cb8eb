using Espalier.Datasets.Questions;

namespace Espalier.Datasets.Building;

/// <summary>The multiple-choice sets of a dataset.</summary>
internal static class QuestionSets
{
    /// <summary>Sets by name, without empty ones.</summary>
    public static SortedDictionary<string, IReadOnlyList<MultipleChoiceItem>> Make(
        DocumentSpool spool, IReadOnlyList<DomainDraft> domains, IReadOnlyList<OpenSource> sources)
    {
        var sets = new SortedDictionary<string, IReadOnlyList<MultipleChoiceItem>>(StringComparer.Ordinal);
        Add("continuation", ContinuationQuestions.Build(domains.ToDictionary(d => d.Name, d => HeldOutSample.Of(spool, d.Documents))));
        foreach (var source in sources.Where(s => s.Text.Questions.Count > 0))
        {
            var heldOut = domains.Where(d => d.Source == source.Source).ToDictionary(d => d.Text.Name, d => IdsOf(spool, d));
            foreach (var questions in source.Text.Questions)
                Add(source.Source.Name is { } name ? $"{name}-{questions.Name}" : questions.Name, ItemChoice.Pick(questions.Build(heldOut)));
        }
        return sets;

        void Add(string name, IReadOnlyList<MultipleChoiceItem> items)
        {
            if (items.Count > 0)
                sets.TryAdd(name, items);
        }
    }

    private static IReadOnlySet<string> IdsOf(DocumentSpool spool, DomainDraft domain) =>
        spool.Read(domain.Documents, d => DomainDraft.IsIn(spool, d, DatasetSplits.HeldOut)).Select(d => d.ToId()).ToHashSet();
}
