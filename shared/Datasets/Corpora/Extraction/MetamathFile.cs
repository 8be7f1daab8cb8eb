using System.Text;
using System.Text.RegularExpressions;

namespace Espalier.Datasets.Corpora.Extraction;

/// <summary>
/// Theorems and axioms of a Metamath database, without proofs: <c>$( comment $)</c> on lines of its own, then
/// <c>label $a statement $.</c> or <c>label $p statement $= proof $.</c> gives "comment\nlabel: statement".
/// </summary>
internal static partial class MetamathFile
{
    /// <summary>One document per statement, named by its label.</summary>
    public static IEnumerable<Document> Statements(byte[] file)
    {
        var text = Encoding.UTF8.GetString(file);
        for (var open = Next(text, "$(", 0); open >= 0; open = Next(text, "$(", open))
        {
            var close = Next(text, "$)", open + 2);
            var statement = close < 0 ? null : Statement().Match(text, close + 2) is { Success: true } match ? match : null;
            if (statement is null)
            {
                open += 2;
                continue;
            }
            var end = EndOfFormula(text, statement.Index + statement.Length);
            if (end < 0)
                yield break;
            var comment = text[(open + 2)..close];
            if (char.IsWhiteSpace(text[open + 2]) && !Decoration().IsMatch(comment))
            {
                var label = statement.Groups[1].Value;
                var formula = Tidy(text[(statement.Index + statement.Length)..end]);
                yield return new Document(label, $"{Tidy(Credits().Replace(comment, ""))}\n{label}: {formula}");
            }
            open = end;
        }
    }

    private static int Next(string text, string mark, int from) => text.IndexOf(mark, from, StringComparison.Ordinal);

    private static int EndOfFormula(string text, int from)
    {
        var end = text.AsSpan(from).IndexOfAny(FormulaEnds);
        return end < 0 ? -1 : from + end;
    }

    private static readonly System.Buffers.SearchValues<string> FormulaEnds = System.Buffers.SearchValues.Create(["$=", "$."], StringComparison.Ordinal);

    private static string Tidy(string text) => Space().Replace(text, " ").Trim();

    [GeneratedRegex(@"\G\s*\n\s*(\S+) \$[ap] ")]
    private static partial Regex Statement();

    // Headings of chapters and sections.
    [GeneratedRegex(@"\A\s+(?:#\*#|=-=|-\.-)")]
    private static partial Regex Decoration();

    [GeneratedRegex(@"\(Contributed by.*?\)|\((?:Proof shortened|Revised|Proof modification|New usage)[^)]*\)", RegexOptions.Singleline)]
    private static partial Regex Credits();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
