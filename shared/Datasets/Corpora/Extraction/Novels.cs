using System.Text;

namespace Espalier.Datasets.Corpora.Extraction;

/// <summary>Novels as lines: cut into chapters, with hard-wrapped lines joined into paragraphs.</summary>
internal static class Novels
{
    /// <summary>Documents <c>novel-N/chapter-M</c>; what stands before the first chapter is chapter 0.</summary>
    public static IEnumerable<Document> Chapters(int novel, IEnumerable<string> lines)
    {
        var chapter = new List<string>();
        var number = 0;
        foreach (var line in lines)
        {
            if (line.StartsWith("chapter", StringComparison.OrdinalIgnoreCase) && char.IsUpper(line[0]))
            {
                yield return ToDocument(novel, number++, chapter);
                chapter.Clear();
            }
            chapter.Add(line);
        }
        yield return ToDocument(novel, number, chapter);
    }

    private static Document ToDocument(int novel, int chapter, List<string> lines) => new($"novel-{novel}/chapter-{chapter}", Unwrap(lines));

    private static string Unwrap(List<string> lines)
    {
        var text = new StringBuilder();
        var inParagraph = false;
        foreach (var line in lines.Select(l => l.Trim()))
        {
            if (line.Length > 0)
                text.Append(inParagraph ? " " : "").Append(line);
            else if (inParagraph)
                text.Append("\n\n");
            inParagraph = line.Length > 0;
        }
        return text.ToString().Trim();
    }
}
