using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>A stored checkpoint (or trainer state), open for reading; tensors are read by range when they are asked for.</summary>
public sealed class CheckpointReader : ITensorBytes
{
    private readonly ArtifactStore _store;
    private readonly Dictionary<string, TensorEntry> _tensors;
    private readonly Dictionary<string, FileEntry> _files;

    private CheckpointReader(ArtifactStore store, Digest root, Manifest manifest)
    {
        _store = store;
        Root = root;
        Manifest = manifest;
        _files = Index(manifest.Files, f => EntryPath.Check(f.Path), root);
        _tensors = Index(manifest.Tensors, t => t.Name, root);
        Names = [.. _tensors.Keys.Order(StringComparer.Ordinal)];
        foreach (var tensor in manifest.Tensors)
            if (tensor.Offset < 0 || !TensorTypes.TryCountBytes(tensor.DType, tensor.Shape, out var bytes, out _) || bytes != tensor.SizeBytes)
                throw new InvalidDataException(
                    $"The manifest {root.Short} contradicts itself about tensor '{LogSafe.Name(tensor.Name)}': {tensor.DType} of shape "
                        + $"[{string.Join(", ", tensor.Shape)}] and {tensor.SizeBytes} bytes.");
    }

    /// <summary>Digest of the manifest.</summary>
    public Digest Root { get; }

    /// <summary>The manifest.</summary>
    public Manifest Manifest { get; }

    /// <inheritdoc/>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Opens an artifact by reference.</summary>
    /// <exception cref="Blobs.MissingBlobException">The store has no such manifest.</exception>
    public static Task<CheckpointReader> OpenAsync(ArtifactStore store, ManifestRef artifact, CancellationToken cancellationToken) =>
        OpenAsync(store, artifact.Root, cancellationToken);

    /// <summary>Opens an artifact by the digest of its manifest.</summary>
    /// <exception cref="Blobs.MissingBlobException">The store has no such manifest.</exception>
    public static async Task<CheckpointReader> OpenAsync(ArtifactStore store, Digest root, CancellationToken cancellationToken) =>
        new(store, root, await store.ReadAsync(root, cancellationToken).ConfigureAwait(false));

    /// <summary>Whether the artifact has a file.</summary>
    public bool HasFile(string path) => _files.ContainsKey(path);

    /// <summary>Reads a file.</summary>
    /// <exception cref="KeyNotFoundException">No such file.</exception>
    public byte[] ReadFile(string path)
    {
        var file = _files.TryGetValue(path, out var entry) ? entry : throw new KeyNotFoundException($"The artifact {Root.Short} has no file '{path}'.");
        var bytes = new byte[checked((int)file.SizeBytes)];
        ReadBlob(file.Blob, 0, bytes, $"file '{path}'");
        return bytes;
    }

    /// <summary>The manifest's entry of a tensor, for <see cref="CheckpointWriter.AddExisting(TensorEntry, string?)"/>.</summary>
    /// <exception cref="KeyNotFoundException">No such tensor.</exception>
    public TensorEntry Entry(string name) =>
        _tensors.TryGetValue(name, out var entry) ? entry : throw new KeyNotFoundException($"The artifact {Root.Short} has no tensor '{LogSafe.Name(name)}'.");

    /// <summary>The manifest's entry of a tensor, or null.</summary>
    public TensorEntry? Find(string name) => _tensors.GetValueOrDefault(name);

    /// <inheritdoc/>
    public TensorHeader Describe(string name)
    {
        var entry = Entry(name);
        return new TensorHeader(entry.Name, entry.DType, entry.Shape, entry.SizeBytes);
    }

    /// <inheritdoc/>
    public void Read(string name, Span<byte> destination)
    {
        TensorBytesExtensions.CheckWhole(Describe(name), destination.Length);
        ReadRange(name, 0, destination);
    }

    /// <inheritdoc/>
    public void ReadRange(string name, long offset, Span<byte> destination)
    {
        TensorBytesExtensions.CheckRange(Describe(name), offset, destination.Length);
        var entry = Entry(name);
        ReadBlob(entry.Blob, entry.Offset + offset, destination, $"tensor '{LogSafe.Name(name)}'");
    }

    private void ReadBlob(Digest blob, long offset, Span<byte> destination, string content)
    {
        try
        {
            _store.Blobs.ReadExactly(blob, offset, destination);
        }
        catch (Blobs.DamagedBlobException e)
        {
            throw e.In(Root, content);
        }
    }

    private static Dictionary<string, T> Index<T>(IEnumerable<T> entries, Func<T, string> key, Digest root)
    {
        var index = new Dictionary<string, T>(StringComparer.Ordinal);
        foreach (var entry in entries)
            if (!index.TryAdd(key(entry), entry))
                throw new InvalidDataException($"The manifest {root.Short} lists '{LogSafe.Name(key(entry))}' twice.");
        return index;
    }
}
