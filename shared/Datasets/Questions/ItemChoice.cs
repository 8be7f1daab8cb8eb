using Espalier.Datasets.Sampling;

namespace Espalier.Datasets.Questions;

/// <summary>Orders answers and picks questions by hashes of their names: no seed to pass, the same on every machine.</summary>
internal static class ItemChoice
{
    /// <summary>Questions kept per set.</summary>
    public const int MaxItems = 500;

    /// <summary>A question whose right answer stands at a place that its name decides.</summary>
    public static MultipleChoiceItem Place(string id, string context, string right, IReadOnlyList<string> wrong)
    {
        var answer = (int)StatelessRandom.Below(StatelessRandom.Fnv1a("answer/" + id), wrong.Count + 1);
        return new MultipleChoiceItem(id, context, [.. wrong.Take(answer), right, .. wrong.Skip(answer)], answer);
    }

    /// <summary>At most <see cref="MaxItems"/> questions, in the order of the hash of their names.</summary>
    public static IReadOnlyList<MultipleChoiceItem> Pick(IEnumerable<MultipleChoiceItem> items, int max = MaxItems) =>
        [.. Shuffle(items, i => i.Id).Take(max)];

    /// <summary>Items in the order of a hash of their names.</summary>
    public static IEnumerable<T> Shuffle<T>(IEnumerable<T> items, Func<T, string> name) =>
        items.OrderBy(i => StatelessRandom.Mix(StatelessRandom.Fnv1a(name(i)))).ThenBy(name, StringComparer.Ordinal);
}
