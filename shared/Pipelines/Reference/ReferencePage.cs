namespace Espalier.Pipelines.Reference;

/// <summary>A page of the reference.</summary>
/// <param name="Topics">The words that lead to it; the first is the page's own.</param>
/// <param name="Title">Its heading.</param>
/// <param name="Summary">One line for lists.</param>
/// <param name="Markdown">Its text, heading included.</param>
public sealed record ReferencePage(IReadOnlyList<string> Topics, string Title, string Summary, string Markdown)
{
    /// <summary>The page's own word.</summary>
    public string Topic => Topics[0];
}
