using Espalier.Contracts;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Reference;

/// <summary>
/// The reference: a page for every part of the pipeline language, from <c>pipelines/REFERENCE.md</c>, and one for every stage kind, from its
/// options record.
/// </summary>
public static class ReferenceBook
{
    /// <summary>All pages: the language first, then the stages by name.</summary>
    public static IReadOnlyList<ReferencePage> Pages(IEnumerable<StageDefinition> stages) =>
        [.. LanguagePages.All, .. stages.OrderBy(s => s.Kind, StringComparer.Ordinal).Select(StagePage.Write)];

    /// <summary>The page of a topic.</summary>
    /// <exception cref="UserInputException">There is none; with the nearest.</exception>
    public static ReferencePage Find(IReadOnlyList<ReferencePage> pages, string topic) =>
        pages.FirstOrDefault(p => p.Topics.Contains(topic, StringComparer.OrdinalIgnoreCase))
            ?? throw new UserInputException($"There is no topic '{topic}': {NearestWord.Hint(topic, [.. pages.SelectMany(p => p.Topics)])}");
}
