using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Registry.Api.Mlflow;

/// <summary>The source of a new version: a checkpoint of the store, by its root or by a version that has it.</summary>
internal static class MlflowSource
{
    public const string Scheme = "espalier:/sha256/";
    private const string ModelScheme = "models:/";

    /// <exception cref="MlflowException">The source is something else, or does not exist.</exception>
    public static async Task<ManifestRef> ResolveAsync(string source, ModelRegistry registry, ArtifactStore store, CancellationToken cancellationToken)
    {
        var root = source.StartsWith(ModelScheme, StringComparison.Ordinal)
            ? (await FindVersionAsync(source[ModelScheme.Length..], registry, cancellationToken).ConfigureAwait(false)).Root
            : Digest.TryParse(source.StartsWith(Scheme, StringComparison.Ordinal) ? source[Scheme.Length..] : source, out var digest)
                ? digest
                : throw MlflowException.Invalid(
                    $"'{source}' is not a source: expected {Scheme}ROOT of a checkpoint in the store, or {ModelScheme}NAME/VERSION.");
        try
        {
            var manifest = await store.ReadAsync(root, cancellationToken).ConfigureAwait(false);
            return new ManifestRef(manifest.Kind, root, manifest.SizeBytes);
        }
        catch (Exception e) when (e is MissingBlobException or InvalidDataException)
        {
            throw MlflowException.Missing($"The store has no checkpoint {root.Hex}; upload it first.");
        }
    }

    private static async Task<ModelVersion> FindVersionAsync(string reference, ModelRegistry registry, CancellationToken cancellationToken) =>
        await registry.FindAsync(reference.Replace('/', '@'), cancellationToken).ConfigureAwait(false)
            ?? throw MlflowException.Missing($"There is no model version {ModelScheme}{reference}.");
}
