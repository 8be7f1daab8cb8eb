using System.Text;
using Espalier.Contracts;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Triggers;

/// <summary>
/// Text into which values of an event are filled: <c>model:${event.model}@${event.version}</c>; <c>$${</c> is a plain <c>${</c>. What the
/// event says is a value: it may not be a list, a map or another reference.
/// </summary>
internal static class EventTemplate
{
    private const string Open = "${", Prefix = "event.";
    private const int MaxLength = 2000;

    /// <summary>The paths that a text refers to, and what is wrong with it; null when nothing is.</summary>
    public static (IReadOnlyList<string> Paths, string? Problem) Read(string text)
    {
        var paths = new List<string>();
        foreach (var (inner, isReference) in Parts(text))
        {
            if (!isReference)
                continue;
            if (inner is null)
                return (paths, $"'{Open}' has no closing '}}'");
            if (!inner.StartsWith(Prefix, StringComparison.Ordinal) || inner.Length == Prefix.Length)
                return (paths, $"${{{inner}}} is not of the event: write ${{event.NAME}}");
            paths.Add(inner[Prefix.Length..]);
        }
        return (paths, null);
    }

    /// <summary>The text with the values.</summary>
    /// <exception cref="UserInputException">The event lacks a value, or has one that cannot be filled in.</exception>
    public static string Fill(string what, string text, EventFields fields)
    {
        var result = new StringBuilder();
        foreach (var (part, isReference) in Parts(text))
            result.Append(isReference ? fields.TextOf(part![Prefix.Length..]) : part);
        var filled = result.ToString();
        if (filled.Length > MaxLength)
            throw new UserInputException($"'{what}' has {filled.Length} characters once the event is filled in; at most {MaxLength} are taken.");
        if (HostileText.Find(filled) is { } found)
            throw new UserInputException($"'{what}' holds {found} once the event is filled in.");
        return filled;
    }

    /// <summary>Plain text and references in turn; null for a reference that does not end.</summary>
    private static IEnumerable<(string? Text, bool IsReference)> Parts(string text)
    {
        var at = 0;
        while (text.IndexOf(Open, at, StringComparison.Ordinal) is >= 0 and var start)
        {
            if (start > at && text[start - 1] == '$')
            {
                yield return (text[at..(start - 1)] + Open, false);
                at = start + Open.Length;
                continue;
            }
            yield return (text[at..start], false);
            var end = text.IndexOf('}', start);
            yield return (end < 0 ? null : text[(start + Open.Length)..end].Trim(), true);
            if (end < 0)
                yield break;
            at = end + 1;
        }
        yield return (text[at..], false);
    }
}
