namespace Espalier.Pipelines.Reference;

/// <summary>The pages of the pipeline language: the sections of <c>pipelines/REFERENCE.md</c>.</summary>
internal static class LanguagePages
{
    private const string Resource = "reference.md", Heading = "## ", Whole = "pipeline";

    // Words that people look for, and the section that answers them.
    private static readonly Dictionary<string, string[]> Aliases = new()
    {
        ["A whole file"] = ["file", "needs", "uses", "with", "description"],
        ["Saying things once: defaults, anchors, merge keys"] = ["defaults", "anchors", "merge"],
        ["params"] = ["params", "parameters"],
        ["data"] = ["data", "sources", "jsonl", "parquet", "corpus", "mixture"],
        ["when"] = ["when", "expressions", "conditions"],
        ["on"] = ["on", "triggers", "schedule", "cron", "webhook", "watch"],
        ["units"] = ["units", "tokens", "amounts"],
    };

    public static IReadOnlyList<ReferencePage> All { get; } = [.. Read()];

    private static IEnumerable<ReferencePage> Read()
    {
        using var stream = typeof(LanguagePages).Assembly.GetManifestResourceStream(Resource)!;
        using var reader = new StreamReader(stream);
        var sections = reader.ReadToEnd().ReplaceLineEndings("\n").Split($"\n{Heading}");
        var first = sections[0].Split('\n', 2);
        yield return new ReferencePage([Whole, "yaml"], first[0].TrimStart('#', ' '), Summary(first[1]), sections[0].TrimEnd() + "\n");
        foreach (var section in sections.Skip(1))
        {
            var parts = section.Split('\n', 2);
            var title = parts[0].Trim();
            var topics = Aliases.GetValueOrDefault(title) ?? title.Split(", ");
            var body = parts[1].Trim().Replace("\n### ", "\n## ", StringComparison.Ordinal);
            yield return new ReferencePage(topics, title, Summary(parts[1]), $"# {title}\n\n{body}\n");
        }
    }

    /// <summary>The first sentence that is text.</summary>
    private static string Summary(string text)
    {
        var paragraph = text.Split("\n\n").Select(p => p.Trim())
            .FirstOrDefault(p => p.Length > 0 && !p.StartsWith("```", StringComparison.Ordinal) && !p.StartsWith('|') && !p.StartsWith('#')) ?? "";
        var line = paragraph.Replace('\n', ' ');
        var end = line.IndexOf(". ", StringComparison.Ordinal);
        return end < 0 ? line : line[..(end + 1)];
    }
}
