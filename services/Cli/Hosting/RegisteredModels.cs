using Espalier.Contracts;
using Espalier.Orchestrator;
using Espalier.Pipelines.Options;
using Espalier.Registry;

namespace Espalier.Cli.Hosting;

/// <summary>A snapshot of the registry, taken when the command starts.</summary>
internal sealed class RegisteredModels(IReadOnlyList<ModelVersion> versions) : IRegisteredModels
{
    private const int Most = 100_000;

    /// <summary>Reads the registry of a home; a home without one has no models.</summary>
    public static async Task<RegisteredModels> LoadAsync(EspalierHome home, CancellationToken cancellationToken)
    {
        if (!home.Exists)
            return new RegisteredModels([]);
        await using var registry = await OpenRegistry.OpenAsync(home, cancellationToken).ConfigureAwait(false);
        return new RegisteredModels(await registry.Models.ListAsync(null, Most, cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public ValueTask<ManifestRef?> FindAsync(string reference, CancellationToken cancellationToken) => new(Find(reference));

    /// <summary>The checkpoint behind <c>model:NAME@ALIAS</c>, or null when there is none.</summary>
    public ManifestRef? Find(string reference)
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
