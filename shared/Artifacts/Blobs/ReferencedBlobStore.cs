using System.Collections.Concurrent;
using System.Security.Cryptography;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// A store in which some blobs are tensors of model directories and are read where they lie, so that working on a model
/// does not copy it. Every write, and every other read, goes to the store behind. Disposing closes the directories.
/// </summary>
/// <param name="inner">The store behind.</param>
public sealed class ReferencedBlobStore(IBlobStore inner) : IBlobStore, IDisposable
{
    private readonly ConcurrentDictionary<Digest, (ITensorBytes Source, string Tensor, long Length)> _references = new();
    private readonly List<HuggingFaceDirectory> _directories = [];
    private readonly Dictionary<string, (long Length, DateTime Written)> _files = new(StringComparer.Ordinal);

    /// <summary>Bytes that are read where they lie; equal tensors count once.</summary>
    public long ReferencedBytes => _references.Values.Sum(r => r.Length);

    /// <summary>Refuses directories whose weights were written to since they were opened: what was read then is not what is there.</summary>
    /// <exception cref="UserInputException">A file changed.</exception>
    public void CheckUnchanged()
    {
        foreach (var (path, before) in _files)
        {
            if (StateOf(path) != before)
                throw new UserInputException(
                    $"{path} was changed while it was in use, so the result would fit neither version. Nothing was written; start again.");
        }
    }

    /// <inheritdoc/>
    public async Task<bool> ExistsAsync(Digest blob, CancellationToken cancellationToken) =>
        _references.ContainsKey(blob) || await inner.ExistsAsync(blob, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task<long?> FindLengthAsync(Digest blob, CancellationToken cancellationToken) =>
        _references.TryGetValue(blob, out var reference) ? reference.Length : await inner.FindLengthAsync(blob, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public Task<BlobReceipt> PutAsync(Stream content, CancellationToken cancellationToken) => inner.PutAsync(content, cancellationToken);

    /// <inheritdoc/>
    public Task<BlobReceipt> PutAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => inner.PutAsync(content, cancellationToken);

    /// <inheritdoc/>
    public Task<Stream> OpenReadAsync(Digest blob, long offset, long? length, CancellationToken cancellationToken)
    {
        if (!_references.TryGetValue(blob, out var reference))
            return inner.OpenReadAsync(blob, offset, length, cancellationToken);
        var wanted = length ?? reference.Length - offset;
        return offset < 0 || wanted < 0 || offset > reference.Length - wanted
            ? throw new EndOfStreamException($"The blob {blob.Short} has {reference.Length} bytes; {wanted} bytes from {offset} on were asked for.")
            : Task.FromResult<Stream>(new TensorStream(reference.Source, reference.Tensor, offset, wanted));
    }

    /// <inheritdoc/>
    public void ReadExactly(Digest blob, long offset, Span<byte> destination)
    {
        if (!_references.TryGetValue(blob, out var reference))
            inner.ReadExactly(blob, offset, destination);
        else if (offset < 0 || offset > reference.Length - destination.Length)
            throw new EndOfStreamException($"The blob {blob.Short} has {reference.Length} bytes; {destination.Length} bytes from {offset} on were asked for.");
        else
            reference.Source.ReadRange(reference.Tensor, offset, destination);
    }

    /// <inheritdoc/>
    public async Task VerifyAsync(Digest blob, Action<long>? advance, CancellationToken cancellationToken)
    {
        if (!_references.ContainsKey(blob))
        {
            await inner.VerifyAsync(blob, advance, cancellationToken).ConfigureAwait(false);
            return;
        }
        var stream = await OpenReadAsync(blob, 0, null, cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
            if (Digest.FromHash(await SHA256.HashDataAsync(stream, cancellationToken).ConfigureAwait(false)) != blob)
                throw DamagedBlobException.Found(blob, "a model directory", "The file was changed after it was first read.");
        advance?.Invoke(_references[blob].Length);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<BlobReceipt> ListAsync(CancellationToken cancellationToken) => inner.ListAsync(cancellationToken);

    /// <inheritdoc/>
    public Task<bool> CreateRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        inner.CreateRecordAsync(name, content, cancellationToken);

    /// <inheritdoc/>
    public Task WriteRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        inner.WriteRecordAsync(name, content, cancellationToken);

    /// <inheritdoc/>
    public Task<byte[]?> ReadRecordAsync(string name, CancellationToken cancellationToken) => inner.ReadRecordAsync(name, cancellationToken);

    /// <inheritdoc/>
    public Task DeleteRecordAsync(string name, CancellationToken cancellationToken) => inner.DeleteRecordAsync(name, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<string> ListRecordsAsync(string prefix, CancellationToken cancellationToken) => inner.ListRecordsAsync(prefix, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _directories.ForEach(d => d.Dispose());

    /// <summary>Opens a directory that this store closes, and remembers how its weights look now.</summary>
    internal HuggingFaceDirectory Open(string path)
    {
        var directory = HuggingFaceDirectory.Open(path);
        _directories.Add(directory);
        foreach (var file in directory.Names.Select(directory.FileOf).Distinct())
            _files[file] = StateOf(file);
        return directory;
    }

    /// <summary>Lets a tensor stand for the blob with the digest of its bytes.</summary>
    internal void Add(Digest digest, ITensorBytes source, TensorHeader tensor) => _references.TryAdd(digest, (source, tensor.Name, tensor.SizeBytes));

    private static (long Length, DateTime Written) StateOf(string path)
    {
        var file = new FileInfo(path);
        return file.Exists ? (file.Length, file.LastWriteTimeUtc) : (-1, default);
    }
}
