using System.Globalization;
using System.Text;

namespace Espalier.Tokenizers;

/// <summary>A class of characters, all planes, that can be spelled as a .NET regular expression over UTF-16 units.</summary>
internal sealed class CharacterSet
{
    /// <summary>White space as the engines of tokenizers define <c>\s</c>.</summary>
    public const string Space = "space";

    private const int FirstBeyond = 0x10000;
    private const int LastOfAll = 0x10FFFF;

    private static readonly Lazy<IReadOnlyList<(int First, int Last, UnicodeCategory Category)>> Beyond = new(FindRuns);

    private static readonly Dictionary<UnicodeCategory, string> Short = new()
    {
        [UnicodeCategory.UppercaseLetter] = "Lu", [UnicodeCategory.LowercaseLetter] = "Ll", [UnicodeCategory.TitlecaseLetter] = "Lt",
        [UnicodeCategory.ModifierLetter] = "Lm", [UnicodeCategory.OtherLetter] = "Lo", [UnicodeCategory.NonSpacingMark] = "Mn",
        [UnicodeCategory.SpacingCombiningMark] = "Mc", [UnicodeCategory.EnclosingMark] = "Me", [UnicodeCategory.DecimalDigitNumber] = "Nd",
        [UnicodeCategory.LetterNumber] = "Nl", [UnicodeCategory.OtherNumber] = "No", [UnicodeCategory.SpaceSeparator] = "Zs",
        [UnicodeCategory.LineSeparator] = "Zl", [UnicodeCategory.ParagraphSeparator] = "Zp", [UnicodeCategory.Control] = "Cc",
        [UnicodeCategory.Format] = "Cf", [UnicodeCategory.PrivateUse] = "Co", [UnicodeCategory.OtherNotAssigned] = "Cn",
        [UnicodeCategory.ConnectorPunctuation] = "Pc", [UnicodeCategory.DashPunctuation] = "Pd", [UnicodeCategory.OpenPunctuation] = "Ps",
        [UnicodeCategory.ClosePunctuation] = "Pe", [UnicodeCategory.InitialQuotePunctuation] = "Pi", [UnicodeCategory.FinalQuotePunctuation] = "Pf",
        [UnicodeCategory.OtherPunctuation] = "Po", [UnicodeCategory.MathSymbol] = "Sm", [UnicodeCategory.CurrencySymbol] = "Sc",
        [UnicodeCategory.ModifierSymbol] = "Sk", [UnicodeCategory.OtherSymbol] = "So",
    };

    private readonly List<(int First, int Last)> _ranges = [];
    private readonly List<string> _categories = [];
    private readonly List<CharacterSet> _complements = [];

    /// <summary>Whether the set is everything but its members.</summary>
    public bool IsNegated { get; init; }

    /// <summary>The one character of a set that has no other.</summary>
    public int? Single => !IsNegated && _categories.Count == 0 && _complements.Count == 0 && _ranges is [var (first, last)] && first == last ? first : null;

    /// <summary>Whether there is such a general category, or group of them: <c>Lu</c>, <c>L</c>.</summary>
    public static bool IsCategory(string name) => name.Length is 1 or 2 && Short.Values.Any(category => category.StartsWith(name, StringComparison.Ordinal));

    public CharacterSet Add(int first, int last)
    {
        _ranges.Add((first, last));
        return this;
    }

    /// <summary>Adds a category, or <see cref="Space"/>.</summary>
    public CharacterSet Add(string category)
    {
        _categories.Add(category);
        return this;
    }

    public CharacterSet Add(CharacterSet other)
    {
        if (other.IsNegated)
        {
            _complements.Add(other);
            return this;
        }
        _ranges.AddRange(other._ranges);
        _categories.AddRange(other._categories);
        _complements.AddRange(other._complements);
        return this;
    }

    /// <summary>A group that matches one character of the set.</summary>
    public string Spell()
    {
        if (Single is { } only && only < FirstBeyond)
            return System.Text.RegularExpressions.Regex.Escape(((char)only).ToString());
        var near = $"[{(IsNegated ? "^" : "")}{Near()}-[\\uD800-\\uDFFF]]";
        var pairs = Pairs();
        return pairs.Length == 0 ? near : $"(?:{near}|{pairs})";
    }

    // Members up to U+FFFF, as the inside of a class.
    private string Near()
    {
        var text = new StringBuilder();
        foreach (var (first, last) in _ranges.Where(range => range.First < FirstBeyond))
            text.Append(Unit(first)).Append('-').Append(Unit(Math.Min(last, FirstBeyond - 1)));
        foreach (var category in _categories)
            text.Append(category == Space ? "\\s" : $"\\p{{{category}}}");
        foreach (var complement in _complements)
            text.Append(complement.Complement());
        return text.Length == 0 ? "\\uD800" : text.ToString(); // a class may not be empty, and surrogates are taken out again
    }

    // Only single categories are complements of a class: \S, \D, \P{L}.
    private string Complement() => _categories is not [var category]
        ? throw new InvalidOperationException("a complement within a class is one category")
        : category == Space ? "\\S" : $"\\P{{{category}}}";

    // Members from U+10000 on, by their first surrogate.
    private string Pairs()
    {
        var byHigh = new SortedDictionary<int, StringBuilder>();
        var whole = new StringBuilder();
        foreach (var (first, last) in Far())
        {
            for (var start = first; start <= last;)
            {
                var (high, low) = (0xD800 + (start - FirstBeyond >> 10), start - FirstBeyond & 0x3FF);
                if (low == 0 && last - start >= 0x3FF)
                {
                    var lastHigh = 0xD800 + (last + 1 - FirstBeyond >> 10) - 1;
                    whole.Append(Unit(high)).Append('-').Append(Unit(lastHigh));
                    start = FirstBeyond + (lastHigh - 0xD800 + 1 << 10);
                    continue;
                }
                var end = Math.Min(last, start | 0x3FF);
                if (!byHigh.TryGetValue(high, out var lows))
                    byHigh[high] = lows = new StringBuilder();
                lows.Append(Unit(0xDC00 + low)).Append('-').Append(Unit(0xDC00 + (end - FirstBeyond & 0x3FF)));
                start = end + 1;
            }
        }
        var parts = byHigh.Select(pair => $"{Unit(pair.Key)}[{pair.Value}]").ToList();
        if (whole.Length > 0)
            parts.Add($"[{whole}][\\uDC00-\\uDFFF]");
        return string.Join('|', parts);
    }

    // Ranges of members from U+10000 on.
    private List<(int First, int Last)> Far()
    {
        var members = new List<(int First, int Last)>();
        foreach (var (first, last, category) in Beyond.Value)
        {
            // Cut a run of one category where explicit ranges begin and end.
            var inner = _ranges.SelectMany(r => (int[])[r.First, r.Last + 1]).Where(cut => cut > first && cut <= last).Distinct().Order();
            int[] cuts = [first, .. inner, last + 1];
            foreach (var (from, next) in cuts.Zip(cuts.Skip(1)).Where(piece => Has(piece.First, category) != IsNegated))
            {
                if (members.Count > 0 && members[^1].Last == from - 1)
                    members[^1] = (members[^1].First, next - 1);
                else
                    members.Add((from, next - 1));
            }
        }
        return members;
    }

    private bool Has(int character, UnicodeCategory category) =>
        _ranges.Any(range => character >= range.First && character <= range.Last)
        || _categories.Any(name => name != Space && Short[category].StartsWith(name, StringComparison.Ordinal)) // no white space is that far out
        || _complements.Any(complement => !complement.Has(character, category));

    private static List<(int, int, UnicodeCategory)> FindRuns()
    {
        var runs = new List<(int First, int Last, UnicodeCategory Category)>();
        for (var character = FirstBeyond; character <= LastOfAll; character++)
        {
            var category = CharUnicodeInfo.GetUnicodeCategory(character);
            if (runs.Count > 0 && runs[^1].Category == category)
                runs[^1] = runs[^1] with { Last = character };
            else
                runs.Add((character, character, category));
        }
        return runs;
    }

    private static string Unit(int unit) => $"\\u{unit:X4}";
}
