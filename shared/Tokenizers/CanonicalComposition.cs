using System.Globalization;
using System.Text;

namespace Espalier.Tokenizers;

/// <summary>
/// Unicode normalization form C (UAX 15): decompose, order combining marks, compose. The platform's own
/// <c>string.Normalize</c> returns its input unchanged in globalization-invariant builds, which ours are.
/// </summary>
internal static partial class CanonicalComposition
{
    // Below U+0300 every text is in form C already.
    private const char FirstAffected = '\u0300';

    private const int SyllableBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TailBase = 0x11A7;
    private const int Leads = 19, Vowels = 21, Tails = 28, Syllables = Leads * Vowels * Tails;

    private static readonly Dictionary<int, int[]> Parts = [];
    private static readonly Dictionary<(int, int), int> Composites = [];
    private static readonly Dictionary<int, byte> CombiningClasses = [];

    static CanonicalComposition()
    {
        foreach (var entry in Decompositions.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            var (code, mapping) = Halves(entry, '=');
            var composes = !mapping.EndsWith('!');
            var parts = mapping.TrimEnd('!').Split('+').Select(Hex).ToArray();
            Parts[Hex(code)] = parts;
            if (composes && parts.Length == 2)
                Composites[(parts[0], parts[1])] = Hex(code);
        }
        foreach (var entry in Classes.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            var (range, combining) = Halves(entry, '=');
            var (first, last) = Halves(range, '-');
            for (var code = Hex(first); code <= Hex(last); code++)
                CombiningClasses[code] = byte.Parse(combining, CultureInfo.InvariantCulture);
        }
    }

    /// <summary>The text in normalization form C; unpaired surrogates become U+FFFD where anything changes.</summary>
    public static string Normalize(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange(FirstAffected, char.MaxValue))
            return text;

        var codes = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
            Decompose(rune.Value, codes);
        OrderMarks(codes);
        Compose(codes);

        var result = new StringBuilder(text.Length);
        Span<char> units = stackalloc char[2];
        foreach (var code in codes)
            result.Append(units[..new Rune(code).EncodeToUtf16(units)]);
        return result.ToString();
    }

    private static void Decompose(int code, List<int> codes)
    {
        var syllable = code - SyllableBase;
        if (syllable is >= 0 and < Syllables)
        {
            codes.Add(LeadBase + syllable / (Vowels * Tails));
            codes.Add(VowelBase + syllable % (Vowels * Tails) / Tails);
            if (syllable % Tails != 0)
                codes.Add(TailBase + syllable % Tails);
        }
        else if (code >= 0xC0 && Parts.TryGetValue(code, out var parts))
        {
            foreach (var part in parts)
                Decompose(part, codes);
        }
        else
        {
            codes.Add(code);
        }
    }

    // Each run of marks is sorted by combining class; marks of one class keep their order.
    private static void OrderMarks(List<int> codes)
    {
        for (var start = 0; start < codes.Count; start++)
        {
            var end = start;
            while (end < codes.Count && ClassOf(codes[end]) != 0)
                end++;
            if (end - start < 2)
                continue;
            var sorted = codes.GetRange(start, end - start).OrderBy(ClassOf).ToArray();
            for (var i = 0; i < sorted.Length; i++)
                codes[start + i] = sorted[i];
            start = end;
        }
    }

    // A mark joins the last starter unless something of class 0, or of a class not lower than its own, stands between.
    private static void Compose(List<int> codes)
    {
        var written = 0;
        var starter = -1;
        var lastClass = 0;
        foreach (var code in codes.ToArray())
        {
            var combining = ClassOf(code);
            var adjacent = starter == written - 1;
            if (starter >= 0 && (adjacent || (lastClass != 0 && lastClass < combining)) && Join(codes[starter], code) is { } joined)
            {
                codes[starter] = joined;
                continue;
            }
            if (combining == 0)
                starter = written;
            lastClass = combining;
            codes[written++] = code;
        }
        codes.RemoveRange(written, codes.Count - written);
    }

    private static int? Join(int first, int second)
    {
        if (first is >= LeadBase and < LeadBase + Leads && second is >= VowelBase and < VowelBase + Vowels)
            return SyllableBase + ((first - LeadBase) * Vowels + second - VowelBase) * Tails;
        if (first is >= SyllableBase and < SyllableBase + Syllables && (first - SyllableBase) % Tails == 0 && second is > TailBase and < TailBase + Tails)
            return first + second - TailBase;
        return Composites.TryGetValue((first, second), out var joined) ? joined : null;
    }

    private static int ClassOf(int code) => code >= FirstAffected && CombiningClasses.TryGetValue(code, out var combining) ? combining : 0;

    private static int Hex(string digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static (string, string) Halves(string entry, char separator)
    {
        var at = entry.IndexOf(separator, StringComparison.Ordinal);
        return (entry[..at], entry[(at + 1)..]);
    }
}
