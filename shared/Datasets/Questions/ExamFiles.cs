using System.Text;

namespace Espalier.Datasets.Questions;

/// <summary>
/// Questions of the amateur-radio examinations, one file each: <c>T8D14 (C)</c>, the question, then lines
/// <c>A. ...</c> to <c>D. ...</c>. Those that refer to a figure are left out.
/// </summary>
internal static class ExamFiles
{
    private const string Letters = "ABCD";

    public static IEnumerable<MultipleChoiceItem> Build(IReadOnlyDictionary<string, byte[]> files, IReadOnlyDictionary<string, IReadOnlySet<string>> heldOut) =>
        files.Select(f => Parse(Path.GetFileName(f.Key), Encoding.UTF8.GetString(f.Value))).OfType<MultipleChoiceItem>();

    private static MultipleChoiceItem? Parse(string id, string text)
    {
        var lines = TextCleaning.Clean(text).Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0).ToList();
        var firstChoice = lines.FindIndex(l => l.StartsWith("A. ", StringComparison.Ordinal));
        var key = lines.Count > 0 ? lines[0].IndexOf('(', StringComparison.Ordinal) : -1;
        if (firstChoice < 2 || key < 0 || text.Contains("igure", StringComparison.Ordinal))
            return null;
        var answer = Letters.IndexOf(lines[0][key + 1], StringComparison.Ordinal);
        var choices = Choices(lines[firstChoice..]);
        return answer < 0 || choices.Count != Letters.Length
            ? null
            : new MultipleChoiceItem(id, $"Question: {string.Join(' ', lines[1..firstChoice])}\nAnswer:", choices, answer);
    }

    // A choice goes on over lines until the next letter.
    private static List<string> Choices(List<string> lines)
    {
        var choices = new List<string>();
        foreach (var line in lines)
        {
            if (choices.Count < Letters.Length && line.StartsWith($"{Letters[choices.Count]}. ", StringComparison.Ordinal))
                choices.Add(" " + line[3..].Trim());
            else
                choices[^1] += " " + line;
        }
        return choices;
    }
}
