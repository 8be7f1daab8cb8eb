namespace Espalier.Evaluator.Texts;

/// <summary>One multiple-choice item.</summary>
/// <param name="Set">Name of its set.</param>
/// <param name="Id">Its name within the set.</param>
/// <param name="Context">Text before the choices; may be empty.</param>
/// <param name="Choices">Texts to choose from.</param>
/// <param name="Answer">Index of the right one.</param>
internal sealed record ChoiceItem(string Set, string Id, string Context, IReadOnlyList<string> Choices, int Answer)
{
    /// <summary>Where the longest choice is; the first of equals.</summary>
    public int Longest => Choices.Select((choice, index) => (choice.Length, index)).OrderByDescending(c => c.Length).ThenBy(c => c.index).First().index;
}
