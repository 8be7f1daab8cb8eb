using Espalier.Datasets.Sampling;

namespace Espalier.Datasets.Questions;

/// <summary>
/// How does this text go on: the true next 64 characters or so, against passages of the same length from three other
/// held-out documents of the domain. Made for every dataset with four long enough held-out documents in a domain.
/// </summary>
internal static class ContinuationQuestions
{
    private const int ContextCharacters = 256;
    private const int ShortestContext = 48;
    private const int ContinuationCharacters = 64;
    private const int WrongChoices = 3;

    public static IReadOnlyList<MultipleChoiceItem> Build(IReadOnlyDictionary<string, IReadOnlyList<Document>> heldOutByDomain)
    {
        var perDomain = Math.Max(1, ItemChoice.MaxItems / Math.Max(1, heldOutByDomain.Count));
        return [.. heldOutByDomain.OrderBy(d => d.Key, StringComparer.Ordinal)
            .SelectMany(d => ItemChoice.Pick(ForDomain(d.Key, d.Value, perDomain), perDomain))];
    }

    // Long documents give several questions until the domain has enough.
    private static IEnumerable<MultipleChoiceItem> ForDomain(string domain, IReadOnlyList<Document> documents, int wanted)
    {
        var usable = documents.Where(d => d.Text.Length >= ShortestContext + 2 * ContinuationCharacters).ToList();
        if (usable.Count <= WrongChoices)
            yield break;
        var perDocument = Math.Max(1, (2 * wanted + usable.Count - 1) / usable.Count);
        for (var index = 0; index < usable.Count; index++)
        {
            var fitting = Math.Min(perDocument, usable[index].Text.Length / (ContextCharacters + ContinuationCharacters) + 1);
            for (var i = 0; i < fitting; i++)
            {
                if (ToItem($"{domain}/{usable[index].Id}/{i}", usable, index) is { } item)
                    yield return item;
            }
        }
    }

    private static MultipleChoiceItem? ToItem(string id, List<Document> documents, int index)
    {
        var text = documents[index].Text;
        var room = text.Length - ShortestContext - 2 * ContinuationCharacters + 1;
        var cut = SpaceFrom(text, ShortestContext + (int)StatelessRandom.Below(StatelessRandom.Fnv1a(id), room));
        if (cut < 0 || Passage(text, cut) is not { } right)
            return null;
        var wrong = new List<string>();
        for (var attempt = 1; attempt <= 8 && wrong.Count < WrongChoices; attempt++)
        {
            var step = (int)StatelessRandom.Below(StatelessRandom.Fnv1a($"{id}/{attempt}"), documents.Count - 1);
            var other = documents[(index + 1 + step) % documents.Count].Text;
            var at = (int)StatelessRandom.Below(StatelessRandom.Fnv1a($"{id}/{attempt}/at"), other.Length - 2 * ContinuationCharacters + 1);
            var start = SpaceFrom(other, at);
            if (start >= 0 && Passage(other, start) is { } passage && passage != right && !wrong.Contains(passage))
                wrong.Add(passage);
        }
        if (wrong.Count < WrongChoices)
            return null;
        var space = cut <= ContextCharacters ? -1 : SpaceFrom(text, cut - ContextCharacters);
        var from = space < cut ? space + 1 : cut - ContextCharacters; // code may have no space that near
        return ItemChoice.Place(id, text[from..cut], right, wrong);
    }

    // From a space to the last space within the length.
    private static string? Passage(string text, int start)
    {
        if (start + ContinuationCharacters >= text.Length)
            return null;
        var end = text.LastIndexOf(' ', start + ContinuationCharacters, ContinuationCharacters / 2);
        return end > start ? text[start..end] : null;
    }

    private static int SpaceFrom(string text, int position) => text.IndexOf(' ', position);
}
