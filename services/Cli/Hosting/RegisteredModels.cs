using Espalier.Contracts;
using Espalier.Orchestrator;
using Espalier.Pipelines.Options;
using Espalier.Registry;
using Espalier.Registry.Datasets;

namespace Espalier.Cli.Hosting;

/// <summary>A snapshot of the registry, taken when the command starts.</summary>
internal sealed class RegisteredModels(IReadOnlyList<ModelVersion> versions, IReadOnlyList<RegisteredDataset> datasets) : IRegisteredModels
{
    private const int Most = 100_000, MostNear = 5;

    /// <summary>Reads the registry of a home; a home without one has no models.</summary>
    public static async Task<RegisteredModels> LoadAsync(EspalierHome home, CancellationToken cancellationToken)
    {
        if (!home.Exists)
            return new RegisteredModels([], []);
        await using var registry = await OpenRegistry.OpenAsync(home, cancellationToken).ConfigureAwait(false);
        return new RegisteredModels(
            await registry.Models.ListAsync(null, Most, cancellationToken).ConfigureAwait(false),
            await registry.Datasets.ListAsync(null, Most, cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public ValueTask<ModelFound> FindAsync(string reference, CancellationToken cancellationToken) => new(Find(reference));

    /// <summary>What is behind <c>model:NAME@ALIAS</c> or <c>dataset:NAME@VERSION</c>.</summary>
    public ModelFound Find(string reference) =>
        reference.StartsWith(ArtifactForms.RegisteredDataset, StringComparison.Ordinal) ? FindDataset(reference) : new ModelFound(FindModel(reference));

    private ModelFound FindDataset(string reference)
    {
        var wanted = DatasetReference.Parse(reference);
        return datasets.Where(d => d.Name == wanted.Name).OrderByDescending(d => d.Version)
            .FirstOrDefault(d => wanted.IsNewest || d.Version == wanted.Version) is { } found
            ? new ModelFound(new ManifestRef(ArtifactKind.Dataset, found.Root, found.SizeBytes))
            : new ModelFound(null) { Nearest = DatasetReference.Nearest(wanted.Name, datasets, MostNear) };
    }

    private ManifestRef? FindModel(string reference)
    {
        var text = reference.StartsWith(ArtifactForms.RegisteredModel, StringComparison.Ordinal)
            ? reference[ArtifactForms.RegisteredModel.Length..]
            : reference;
        var wanted = ModelReference.Parse(text);
        var found = versions.Where(v => v.Model == wanted.Model).OrderByDescending(v => v.Version)
            .FirstOrDefault(v => wanted.IsLatest || v.Version == wanted.Version || (wanted.Alias is { } alias && v.Aliases.Contains(alias)));
        return found is null ? null : new ManifestRef(ArtifactKind.Checkpoint, found.Root, found.SizeBytes);
    }
}
