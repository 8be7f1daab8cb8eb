using System.Text;
using System.Text.Json.Serialization;

namespace Espalier.Datasets;

/// <summary>One document of a dataset: the unit that is split, never cut across train and held-out.</summary>
/// <param name="Id">Its name within the domain; the split is a hash of it.</param>
/// <param name="Text">Clean text.</param>
public sealed record Document(string Id, string Text)
{
    /// <summary>The split in which it is already; null where the rule says it.</summary>
    [JsonIgnore]
    public string? Split { get; init; }

    /// <summary>Length of the text in UTF-8.</summary>
    public int SizeBytes() => Encoding.UTF8.GetByteCount(Text);
}

/// <summary>One question with answers to choose from.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Context">What comes before every choice; may be empty.</param>
/// <param name="Choices">Continuations, each starting with its own white space.</param>
/// <param name="Answer">Index of the right one.</param>
public sealed record MultipleChoiceItem(string Id, string Context, IReadOnlyList<string> Choices, int Answer);

/// <summary>Names of a dataset's splits, which are also its folders.</summary>
public static class DatasetSplits
{
    /// <summary>Text to train on.</summary>
    public const string Train = "train";

    /// <summary>Text for choices made during training; never trained on.</summary>
    public const string Validation = "validation";

    /// <summary>Text for results; never trained on.</summary>
    public const string HeldOut = "held-out";

    /// <summary>All three together, for text that no model of the run is trained on.</summary>
    public const string All = "all";

    /// <summary>The stored splits.</summary>
    public static IReadOnlyList<string> Stored { get; } = [Train, Validation, HeldOut];

    internal static IReadOnlyList<string> Members(string split) =>
        split == All ? Stored : Stored.Contains(split) ? [split] : throw new ArgumentException($"There is no split '{split}'.", nameof(split));
}
