using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Cli.Hosting;
using Espalier.Contracts;
using Espalier.Registry.Signing;
using Espalier.Surgery.Checkpoints;

namespace Espalier.Cli.Models;

/// <summary>A model to read: in the store of this machine, in a folder of the user's, or fetched from a server.</summary>
internal sealed class ModelSource : IAsyncDisposable
{
    private readonly ReferencedBlobStore? _references;
    private readonly DirectoryInfo? _temporary;

    private ModelSource(ArtifactStore store, Digest root, ReferencedBlobStore? references = null, DirectoryInfo? temporary = null) =>
        (Store, Root, _references, _temporary) = (store, root, references, temporary);

    public ArtifactStore Store { get; }

    public Digest Root { get; }

    /// <summary>A model of this machine's registry, or a manifest of its store.</summary>
    /// <exception cref="UserInputException">There is none.</exception>
    public static async Task<ModelSource> OfHomeAsync(EspalierHome home, string model, SigningKey? signer, CancellationToken cancellationToken)
    {
        var root = await ResolveAsync(home, model, signer, cancellationToken).ConfigureAwait(false);
        var store = home.OpenStore();
        if (!await store.Blobs.ExistsAsync(root, cancellationToken).ConfigureAwait(false) && Digest.TryParse(model, out _))
            throw new UserInputException($"There is no artifact {model} in {home.StoreFolder}; espalier models --json lists roots.");
        return new ModelSource(store, root);
    }

    /// <summary>A folder with a model, read where it lies.</summary>
    /// <exception cref="UserInputException">It is not such a folder.</exception>
    public static Task<ModelSource> OfFolderAsync(string folder, CancellationToken cancellationToken) =>
        OfFolderAsync(folder, Directory.CreateTempSubdirectory("espalier-export-"), cancellationToken);

    /// <summary>Whether a user names a folder: names of models have no slashes, and do not begin with a dot.</summary>
    /// <exception cref="UserInputException">They do, and there is no such folder.</exception>
    public static bool IsFolder(string model)
    {
        if (!model.Contains('/', StringComparison.Ordinal) && !model.StartsWith('.'))
            return false;
        return Directory.Exists(model) ? true : throw new UserInputException($"{model}: no such directory.");
    }

    /// <summary>A model that is fetched first, into a folder beside the output that goes at the end.</summary>
    public static async Task<ModelSource> OfFetchedAsync(string output, Func<string, Task<Digest>> fetch, CancellationToken cancellationToken)
    {
        var whole = Path.TrimEndingDirectorySeparator(Path.GetFullPath(output));
        return await OfFetchedAsync(
            Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(whole)!, $".{Path.GetFileName(whole)}.fetched")), fetch, cancellationToken)
            .ConfigureAwait(false);
    }

    /// <summary>A model that is fetched first, into a folder of its own that goes at the end.</summary>
    public static async Task<ModelSource> OfFetchedAsync(
        DirectoryInfo beside, Func<string, Task<Digest>> fetch, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(beside.FullName, "model");
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true); // of an export that was killed, perhaps of another model; a partial one is resumed by its root
        await fetch(folder).ConfigureAwait(false);
        return await OfFolderAsync(folder, beside, cancellationToken).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync()
    {
        _references?.Dispose();
        _temporary?.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    private static async Task<ModelSource> OfFolderAsync(string folder, DirectoryInfo temporary, CancellationToken cancellationToken)
    {
        var references = new ReferencedBlobStore(new FileBlobStore(Path.Combine(temporary.FullName, "store")));
        try
        {
            var model = await HuggingFaceImporter.ReferenceAsync(
                references, folder, new ImportOptions { Check = ModelCheck.Of(folder) }, cancellationToken).ConfigureAwait(false);
            return new ModelSource(new ArtifactStore(references), model.Root, references, temporary);
        }
        catch
        {
            references.Dispose();
            temporary.Delete(recursive: true);
            throw;
        }
    }

    private static async Task<Digest> ResolveAsync(EspalierHome home, string model, SigningKey? signer, CancellationToken cancellationToken)
    {
        var isRoot = Digest.TryParse(model, out var root);
        if (isRoot && signer is null && Directory.Exists(home.StoreFolder))
            return root;
        if (!home.Exists)
            throw new UserInputException($"There is no model '{model}': {home.Path} holds none yet.");
        await using var registry = await OpenRegistry.OpenAsync(home, cancellationToken).ConfigureAwait(false);
        if (!isRoot)
            root = (await registry.Models.ResolveAsync(model, cancellationToken).ConfigureAwait(false)).Root;
        Signatures.Require(model, root, await registry.Signatures.ListAsync(root, cancellationToken).ConfigureAwait(false), signer);
        return root;
    }
}
