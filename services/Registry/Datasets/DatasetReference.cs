using System.Globalization;
using Espalier.Contracts;
using Espalier.Pipelines.Options;

namespace Espalier.Registry.Datasets;

/// <summary><c>dataset:NAME@VERSION</c>, or <c>dataset:NAME</c> and <c>dataset:NAME@latest</c> for the newest; datasets have no aliases.</summary>
/// <param name="Name">Name of the dataset.</param>
/// <param name="Version">Its version; null when the newest is meant, or when what stands there is none.</param>
/// <param name="IsNewest">Whether the newest version is meant.</param>
public sealed record DatasetReference(string Name, int? Version, bool IsNewest)
{
    private const string Latest = "latest";

    /// <summary>Reads a reference.</summary>
    public static DatasetReference Parse(string text)
    {
        var rest = text.StartsWith(ArtifactForms.RegisteredDataset, StringComparison.Ordinal) ? text[ArtifactForms.RegisteredDataset.Length..] : text;
        var at = rest.IndexOf('@', StringComparison.Ordinal);
        var (name, label) = at < 0 ? (rest, Latest) : (rest[..at], rest[(at + 1)..]);
        if (label == Latest)
            return new DatasetReference(name, null, true);
        var digits = label is ['v' or 'V', ..] ? label[1..] : label;
        return new DatasetReference(
            name, int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : null, false);
    }

    /// <summary>What somebody may have meant who named a dataset that there is not: versions of that name, else of the nearest, else any.</summary>
    public static IReadOnlyList<string> Nearest(string name, IReadOnlyList<RegisteredDataset> known, int most)
    {
        var nearest = known.Any(d => d.Name == name) ? name : NearestWord.Find(name, known.Select(d => d.Name).Distinct());
        return [.. known.Where(d => nearest is null || d.Name == nearest).Take(most).Select(d => d.Reference)];
    }
}
