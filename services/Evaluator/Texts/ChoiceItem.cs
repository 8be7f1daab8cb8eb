namespace Espalier.Evaluator.Texts;

/// <summary>One multiple-choice item.</summary>
/// <param name="Set">Name of its set.</param>
/// <param name="Id">Its name within the set.</param>
/// <param name="Context">Text before the choices; may be empty.</param>
/// <param name="Choices">Texts to choose from.</param>
/// <param name="Answer">Index of the right one.</param>
internal sealed record ChoiceItem(string Set, string Id, string Context, IReadOnlyList<string> Choices, int Answer)
{
    /// <summary>What stands between a context and a choice.</summary>
    private const char Delimiter = ' ';

    /// <summary>Where the longest choice is; the first of equals.</summary>
    public int Longest => Choices.Select((_, index) => index).OrderByDescending(LengthOf).ThenBy(index => index).First();

    /// <summary>Characters (code points) of a choice without the space between context and choice, as lm-evaluation-harness counts them; at least 1.</summary>
    public int LengthOf(int choice)
    {
        var text = Choices[choice].AsSpan();
        if (text.Length > 0 && text[0] == Delimiter)
            text = text[1..];
        var length = 0;
        foreach (var _ in text.EnumerateRunes())
            length++;
        return Math.Max(1, length);
    }
}
