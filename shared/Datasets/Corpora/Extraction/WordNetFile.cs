using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Espalier.Datasets.Corpora.Extraction;

/// <summary>One synonym set of WordNet.</summary>
/// <param name="Offset">Its number within the part of speech.</param>
/// <param name="Topic">Number of the lexicographer's file: animals, food, motion, ...</param>
/// <param name="PartOfSpeech">Noun, verb, adjective or adverb.</param>
/// <param name="Words">Its words, spaces for underscores.</param>
/// <param name="Parents">Offsets of what it is a kind of.</param>
/// <param name="Gloss">Definition and examples.</param>
internal sealed record SynonymSet(int Offset, int Topic, string PartOfSpeech, IReadOnlyList<string> Words, IReadOnlyList<int> Parents, string Gloss)
{
    /// <summary>Its words as one text, which names the entry.</summary>
    public string Lemmas => string.Join(", ", Words);
}

/// <summary>
/// WordNet's <c>data.POS</c> files, one synonym set a line:
/// <c>offset topic pos word-count(hex) word lexid ... pointer-count pointer... | gloss</c>.
/// </summary>
internal static partial class WordNetFile
{
    /// <summary>Dictionary entries: sets with the same words are one document of several lines.</summary>
    public static IEnumerable<Document> Entries(IReadOnlyDictionary<string, byte[]> files)
    {
        var entries = new Dictionary<string, StringBuilder>();
        var order = new List<string>();
        foreach (var set in Read(files))
        {
            if (!entries.TryGetValue(set.Lemmas, out var text))
            {
                entries[set.Lemmas] = text = new StringBuilder();
                order.Add(set.Lemmas);
            }
            text.Append(text.Length > 0 ? "\n" : "").Append(CultureInfo.InvariantCulture, $"{set.Lemmas} ({set.PartOfSpeech}): {set.Gloss.TrimStart()}");
        }
        return order.Select(lemmas => new Document(lemmas, entries[lemmas].ToString()));
    }

    /// <summary>Every synonym set, nouns first, then verbs, adjectives and adverbs.</summary>
    public static IEnumerable<SynonymSet> Read(IReadOnlyDictionary<string, byte[]> files) =>
        ((string[])["noun", "verb", "adj", "adv"])
            .SelectMany(part => Encoding.UTF8.GetString(files[$"dict/data.{part}"]).Split('\n'))
            .Select(Parse)
            .OfType<SynonymSet>();

    // The files start with their licence, in lines that begin with a space.
    private static SynonymSet? Parse(string line)
    {
        var bar = line.IndexOf(" | ", StringComparison.Ordinal);
        if (bar < 0 || line[0] == ' ')
            return null;
        var fields = line[..bar].Split(' ');
        var words = int.Parse(fields[3], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        var pointersAt = 4 + 2 * words;
        var pointers = int.Parse(fields[pointersAt], CultureInfo.InvariantCulture);
        return new SynonymSet(
            int.Parse(fields[0], CultureInfo.InvariantCulture),
            int.Parse(fields[1], CultureInfo.InvariantCulture),
            fields[2] switch { "n" => "noun", "v" => "verb", "r" => "adverb", _ => "adjective" },
            [.. Enumerable.Range(0, words).Select(i => Marker().Replace(fields[4 + 2 * i].Replace('_', ' '), ""))],
            [.. Enumerable.Range(0, pointers).Select(i => pointersAt + 1 + 4 * i).Where(p => fields[p] == "@")
                .Select(p => int.Parse(fields[p + 1], CultureInfo.InvariantCulture))],
            line[(bar + 3)..].TrimEnd());
    }

    // Adjectives carry their position: (a), (p), (ip).
    [GeneratedRegex(@"\(\w+\)$")]
    private static partial Regex Marker();
}
