using Espalier.Datasets.Corpora.Extraction;

namespace Espalier.Datasets.Questions;

/// <summary>
/// "word (noun):" and four definitions: the right one, and those of other held-out nouns, siblings under the same parent
/// where there are three, else of the same topic. All four entries are held out, so none of them was seen in training; the
/// form is the one in which the corpus writes its entries.
/// </summary>
internal static class DefinitionQuestions
{
    private const string Domain = "lexicon";
    private const int WrongChoices = 3;

    public static IEnumerable<MultipleChoiceItem> Build(IReadOnlyDictionary<string, byte[]> files, IReadOnlyDictionary<string, IReadOnlySet<string>> heldOut)
    {
        if (!heldOut.TryGetValue(Domain, out var entries))
            return [];
        var nouns = WordNetFile.Read(files).Where(s => s.PartOfSpeech == "noun" && entries.Contains(s.Lemmas)).DistinctBy(s => s.Lemmas).ToList();
        var byParent = nouns.SelectMany(s => s.Parents.Select(parent => (parent, s))).ToLookup(p => p.parent, p => p.s);
        var byTopic = nouns.ToLookup(s => s.Topic);
        return nouns
            .Where(s => s.Words.Count == 1 && s.Words[0].All(char.IsAsciiLetterLower) && Definition(s).Length > 0)
            .Select(s => ToItem(s, s.Parents.SelectMany(p => byParent[p]), byTopic[s.Topic]))
            .OfType<MultipleChoiceItem>();
    }

    private static MultipleChoiceItem? ToItem(SynonymSet set, IEnumerable<SynonymSet> siblings, IEnumerable<SynonymSet> topic)
    {
        var wrong = Others(set, siblings).Concat(Others(set, topic)).Select(Definition)
            .Where(d => d.Length > 0 && d != Definition(set)).Distinct().Take(WrongChoices).ToList();
        return wrong.Count < WrongChoices
            ? null
            : ItemChoice.Place(set.Lemmas, $"{set.Lemmas} ({set.PartOfSpeech}):", " " + Definition(set), [.. wrong.Select(d => " " + d)]);
    }

    private static IEnumerable<SynonymSet> Others(SynonymSet set, IEnumerable<SynonymSet> candidates) =>
        ItemChoice.Shuffle(candidates.Where(c => c.Lemmas != set.Lemmas), c => $"{set.Lemmas}/{c.Lemmas}");

    // The gloss up to its first example.
    private static string Definition(SynonymSet set)
    {
        var quote = set.Gloss.IndexOf('"', StringComparison.Ordinal);
        return (quote < 0 ? set.Gloss : set.Gloss[..quote]).TrimStart().TrimEnd(' ', ';', ':', ',');
    }
}
