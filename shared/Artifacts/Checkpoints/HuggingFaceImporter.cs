using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints.Families;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>How an import behaves.</summary>
public sealed class ImportOptions
{
    /// <summary>Whether weights must be finite: NaN and infinity are refused with file, tensor and element.</summary>
    /// <value>true</value>
    public bool RequireFinite { get; init; } = true;

    /// <summary>
    /// Looks at names, shapes and <c>config.json</c> before anything is stored, and throws when they do not make a model.
    /// It sees the store's names; <see cref="ITensorBytes.NameInFile"/> has the file's.
    /// </summary>
    public Action<ITensorBytes, ReadOnlyMemory<byte>>? Check { get; init; }

    /// <summary>What the directory was made from.</summary>
    /// <value>none</value>
    public IReadOnlyList<Parent> Parents { get; init; } = [];

    /// <summary>Gets bytes done and bytes in all.</summary>
    public IProgress<(long Done, long Total)>? Progress { get; init; }

    /// <summary>Gets a line about everything that was left out, and about oddities that do no harm.</summary>
    public Action<string>? Note { get; init; }
}

/// <summary>
/// Reads a Hugging Face directory into a store. The same weights and files give the same root whatever the sharding.
/// Tensors get the store's names, whatever their family calls them, and stacked experts are stored one by one; the
/// manifest's property <c>expert-layout</c> says so, and an export puts them together again.
/// </summary>
public static class HuggingFaceImporter
{
    private const int ParallelTensors = 2;
    private const long InMemoryBytes = 64L << 20;
    private const int HashedAtOnce = 1 << 20;

    /// <summary>Property of a manifest: how the experts lay in the files that it was imported from.</summary>
    internal const string LayoutProperty = "expert-layout";

    /// <summary>Value of <see cref="LayoutProperty"/>: all experts of a layer in one tensor.</summary>
    internal const string StackedLayout = "stacked";

    /// <summary>Imports a directory with the default options.</summary>
    /// <exception cref="UserInputException">The directory breaks a rule of its formats; nothing is published then.</exception>
    public static Task<ManifestRef> ImportAsync(ArtifactStore store, string directory, CancellationToken cancellationToken) =>
        ImportAsync(store, directory, new ImportOptions(), cancellationToken);

    /// <summary>Imports a directory.</summary>
    /// <exception cref="UserInputException">The directory breaks a rule of its formats; nothing is published then.</exception>
    public static async Task<ManifestRef> ImportAsync(ArtifactStore store, string directory, ImportOptions options, CancellationToken cancellationToken)
    {
        using var source = HuggingFaceDirectory.Open(directory);
        return await ImportAsync(store, source, null, options, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// As an import, except that tensors of 64 KiB and more are hashed and checked but not copied: they are read from the
    /// directory for as long as <paramref name="references"/> lives. The root is that of an import.
    /// </summary>
    /// <param name="references">Serves the directory's tensors, and stores the small ones, the files and the manifest.</param>
    /// <param name="directory">The directory.</param>
    /// <param name="options">How it behaves.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="UserInputException">The directory breaks a rule of its formats; nothing is published then.</exception>
    public static Task<ManifestRef> ReferenceAsync(
        ReferencedBlobStore references, string directory, ImportOptions options, CancellationToken cancellationToken) =>
        ImportAsync(new ArtifactStore(references), references.Open(directory), references, options, cancellationToken);

    private static async Task<ManifestRef> ImportAsync(
        ArtifactStore store, HuggingFaceDirectory source, ReferencedBlobStore? references, ImportOptions options, CancellationToken cancellationToken)
    {
        var tensors = new UnifiedTensors(source);
        options.Check?.Invoke(tensors, source.ReadFile(SideFiles.Config));
        using var writer = new CheckpointWriter(store);
        if (tensors.HasStackedExperts)
            writer.SetProperties(new JsonObject { [LayoutProperty] = StackedLayout });
        foreach (var parent in options.Parents)
            writer.AddParent(parent);
        foreach (var file in source.IgnoredFiles)
            options.Note?.Invoke(
                Path.Combine(source.DirectoryPath, file)
                    + (SideFiles.IsPickle(file) ? ": pickled data, never read." : ": not part of a checkpoint, left out."));
        var missing = OwnCode.Missing(source).ToLookup(m => m.File, m => m.Module);
        foreach (var (file, module) in missing.SelectMany(modules => modules, (modules, module) => (modules.Key, module)))
            options.Note?.Invoke(
                $"{Path.Combine(source.DirectoryPath, file)}: auto_map names {module}, which is not there; the entry is left out: loaders would fail on it.");
        foreach (var file in source.Files)
        {
            var bytes = source.ReadFile(file);
            await writer.AddFileAsync(file, missing.Contains(file) ? OwnCode.Without(bytes, missing[file]) : bytes, cancellationToken).ConfigureAwait(false);
        }
        foreach (var note in source.Notes.Concat(tensors.Notes))
            options.Note?.Invoke(note);
        var size = tensors.Names.Sum(name => tensors.Describe(name).SizeBytes);
        long done = 0;
        await Parallel.ForEachAsync(
            tensors.Names,
            new ParallelOptions { MaxDegreeOfParallelism = ParallelTensors, CancellationToken = cancellationToken },
            async (name, token) =>
                await AddAsync(
                    writer, tensors, references, name, options,
                    bytes => options.Progress?.Report((Interlocked.Add(ref done, bytes), size)), token).ConfigureAwait(false))
            .ConfigureAwait(false);
        return await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task AddAsync(
        CheckpointWriter writer, UnifiedTensors source, ReferencedBlobStore? references, string name, ImportOptions options,
        Action<long> advance, CancellationToken cancellationToken)
    {
        var tensor = source.Describe(name);
        if (references is not null && tensor.SizeBytes >= TensorPacking.SmallBytes)
        {
            var digest = Hash(new TensorStream(source, name, Check), cancellationToken);
            references.Add(digest, source, tensor);
            writer.AddExisting(new TensorEntry(name, tensor.DType, tensor.Shape, digest, 0, tensor.SizeBytes));
            return;
        }
        if (tensor.SizeBytes <= InMemoryBytes)
        {
            var bytes = source.ReadAll(name);
            Check(0, bytes);
            await writer.AddTensorAsync(name, tensor.DType, tensor.Shape, bytes, cancellationToken).ConfigureAwait(false);
            return;
        }
        var stream = new TensorStream(source, name, Check);
        await using (stream.ConfigureAwait(false))
            await writer.AddTensorAsync(name, tensor.DType, tensor.Shape, stream, cancellationToken).ConfigureAwait(false);

        void Check(long position, ReadOnlySpan<byte> chunk)
        {
            var index = options.RequireFinite ? FiniteCheck.FirstNotFinite(tensor.DType, chunk) : -1;
            if (index >= 0)
                throw new UserInputException(
                    $"{source.FileOf(name)}: tensor '{LogSafe.Name(source.NameInFile(name))}' ({tensor.DType}, shape "
                        + $"[{string.Join(", ", tensor.Shape)}]) holds NaN or infinity, first at element "
                        + $"{FirstElement(tensor, position) + index}. The weights are broken; use another checkpoint.");
            advance(chunk.Length);
        }
    }

    private static Digest Hash(TensorStream tensor, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(HashedAtOnce);
        for (int read; (read = tensor.Read(buffer.AsSpan(0, HashedAtOnce))) > 0;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
        }
        ArrayPool<byte>.Shared.Return(buffer);
        return Digest.FromHash(hash.GetHashAndReset());
    }

    private static long FirstElement(TensorHeader tensor, long position) =>
        (long)(position * tensor.Shape.Aggregate((Int128)1, (product, extent) => product * extent) / tensor.SizeBytes);
}
