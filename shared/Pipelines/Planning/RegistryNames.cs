using Espalier.Contracts;
using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Planning;

/// <summary>What options name by a name that the registry keeps: models and datasets.</summary>
/// <param name="find">Asks the registry; null where none can be asked.</param>
internal sealed class RegistryNames(Func<string, ModelFound>? find)
{
    /// <summary>The references in an option.</summary>
    public static IEnumerable<string> In(ArtifactOption option) =>
        option.Sources is { } sources ? sources.Where(s => s.Source.IsRegistered).Select(s => s.Source.From)
        : option.Kind == ValueKind.Model && !option.Text.StartsWith("${", StringComparison.Ordinal) || IsDataset(option.Text) ? [option.Text]
        : [];

    /// <summary>Whether a text names a registered dataset.</summary>
    public static bool IsDataset(string text) => text.StartsWith(ArtifactForms.RegisteredDataset, StringComparison.Ordinal);

    /// <summary>The artifact of a reference.</summary>
    /// <exception cref="UserInputException">There is none; with the nearest names.</exception>
    public ManifestRef Find(string reference)
    {
        var kind = IsDataset(reference) ? "datasets" : "models";
        if (find is null)
            throw new UserInputException($"registered {kind} cannot be used here");
        var found = find(reference);
        if (found.Model is { } artifact)
            return artifact;
        var hint = found.Nearest.Count > 0 ? NearestWord.Hint(reference, found.Nearest) : $"see `espalier {kind}`";
        throw new UserInputException($"the registry has no {reference}; {hint}");
    }

    /// <summary>A source of a list: of a registered dataset with the root of its artifact, of others as it is.</summary>
    /// <inheritdoc cref="Find"/>
    public DataSource Resolve(DataSource source) => source.IsRegistered ? source with { Fingerprint = Find(source.From).Root.Hex } : source;
}
