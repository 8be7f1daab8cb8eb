using System.Globalization;
using System.Text;
using Espalier.Datasets.Sampling;

namespace Espalier.Datasets.Corpora;

/// <summary>
/// Text made from templates, about 200 KB a domain, the same on every machine. Synthetic and easy to learn on purpose:
/// sums have one right answer, a story keeps to its names, a card repeats its facts in another form.
/// </summary>
internal static class SyntheticText
{
    private const int DocumentsPerDomain = 700;
    private const int SentencesPerDocument = 6;

    private static readonly string[] Names = ["Ada", "Boris", "Carla", "Dmitri", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Keiko", "Liam"];
    private static readonly string[] Places = ["garden", "harbour", "library", "market", "mill", "orchard", "station", "tower"];
    private static readonly string[] Things = ["apple", "basket", "candle", "drum", "engine", "flute", "hammer", "kettle", "lantern", "map"];
    private static readonly string[] Colours = ["amber", "blue", "crimson", "green", "ivory", "purple", "silver", "yellow"];
    private static readonly string[] Moves = ["carried", "found", "hid", "painted", "repaired", "sold"];

    /// <summary>The domains.</summary>
    public static IReadOnlyList<string> Domains { get; } = ["cards", "stories", "sums"];

    /// <summary>The documents of one domain.</summary>
    public static IEnumerable<Document> Documents(string domain) =>
        Enumerable.Range(0, DocumentsPerDomain).Select(i => new Document($"{domain}-{i:D4}", Write(domain, new Draw(domain, i))));

    private static string Write(string domain, Draw draw)
    {
        var text = new StringBuilder();
        var (hero, thing, place) = (draw.From(Names), draw.From(Things), draw.From(Places));
        for (var i = 0; i < SentencesPerDocument; i++)
        {
            text.Append(domain switch
            {
                "sums" => Sum(draw),
                "stories" => Story(draw, hero, ref thing, ref place),
                _ => Card(draw),
            }).Append('\n');
        }
        return text.ToString();
    }

    private static string Sum(Draw draw)
    {
        var (a, b) = (draw.Below(50), draw.Below(50));
        return string.Create(CultureInfo.InvariantCulture, $"{a} plus {b} is {a + b}, and {a + b} minus {b} is {a}.");
    }

    private static string Story(Draw draw, string hero, ref string thing, ref string place)
    {
        var (move, before) = (draw.From(Moves), place);
        place = draw.From(Places);
        var sentence = $"{hero} {move} the {thing} in the {before} and went to the {place}.";
        thing = draw.From(Things);
        return sentence;
    }

    private static string Card(Draw draw)
    {
        var (owner, thing, colour) = (draw.From(Names), draw.From(Things), draw.From(Colours));
        return $"owner={owner}; thing={thing}; colour={colour} -> the {colour} {thing} of {owner}";
    }

    private sealed class Draw(string domain, int document)
    {
        private long _count;

        public int Below(int bound) => (int)StatelessRandom.Below(StatelessRandom.Key(document, domain, _count++), bound);

        public string From(string[] words) => words[Below(words.Length)];
    }
}
