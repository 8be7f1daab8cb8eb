using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Espalier.Contracts;
using Espalier.FaultInjection;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// Blobs and records as files: <c>blobs/ab/cdef...</c> by digest, <c>records/folder/name</c>, <c>tmp</c> for what is being
/// written, and <c>damaged</c> for blobs whose bytes were not those of their digest. A write goes to a temporary file, is flushed,
/// and gets its name by <c>link</c>, which is exclusive across threads and processes. Each blob is compared with its digest the
/// first time that it is read here.
/// </summary>
public sealed class FileBlobStore : ICollectableBlobStore
{
    private const int CopyBytes = 1 << 20;
    private readonly FileBlobStoreOptions _options;
    private readonly TemporaryFiles _temporaries;
    private readonly BlobFiles _blobs;
    private readonly FileRecords _records;

    /// <summary>Opens a store, making its folders when they are missing, and deletes temporary files that a crash left long ago.</summary>
    /// <param name="path">The store's folder.</param>
    /// <param name="options">How it behaves; null takes the defaults.</param>
    public FileBlobStore(string path, FileBlobStoreOptions? options = null)
    {
        _options = options ?? new FileBlobStoreOptions();
        Root = Path.GetFullPath(path);
        _temporaries = new TemporaryFiles(Root, _options);
        _blobs = new BlobFiles(Root, _options, _temporaries);
        _records = new FileRecords(Root, _temporaries);
    }

    /// <summary>The store's folder.</summary>
    public string Root { get; }

    /// <inheritdoc/>
    public Task<bool> ExistsAsync(Digest blob, CancellationToken cancellationToken) => Task.FromResult(File.Exists(_blobs.PathOf(blob)));

    /// <inheritdoc/>
    public Task<long?> FindLengthAsync(Digest blob, CancellationToken cancellationToken)
    {
        var file = new FileInfo(_blobs.PathOf(blob));
        return Task.FromResult<long?>(file.Exists ? file.Length : null);
    }

    /// <inheritdoc/>
    public async Task<BlobReceipt> PutAsync(Stream content, CancellationToken cancellationToken)
    {
        if (content.CanSeek)
            _temporaries.CheckSpace(content.Length - content.Position);
        var temporary = _temporaries.NewPath();
        long length = 0;
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
            using (var file = TemporaryFiles.Create(temporary))
            {
                for (int read; (read = await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0; length += read)
                {
                    hash.AppendData(buffer, 0, read);
                    _temporaries.Write(file, buffer.AsSpan(0, read), length);
                }
                _temporaries.Finish(file);
            }
            ArrayPool<byte>.Shared.Return(buffer);
            var digest = Digest.FromHash(hash.GetHashAndReset());
            return new BlobReceipt(digest, length, PublishBlob(temporary, digest, length));
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <inheritdoc/>
    public Task<BlobReceipt> PutAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        Task.Run(() => Put(content.Span), cancellationToken);

    /// <inheritdoc/>
    public async Task<Stream> OpenReadAsync(Digest blob, long offset, long? length, CancellationToken cancellationToken)
    {
        await _blobs.Checked.EnsureAsync(blob, b => _blobs.Check(b, null, CancellationToken.None), cancellationToken).ConfigureAwait(false);
        var handle = _blobs.Open(blob);
        try
        {
            var rest = RandomAccess.GetLength(handle) - offset;
            if (offset < 0 || rest < 0 || length > rest)
                throw BlobFiles.BeyondEnd(blob, offset, length ?? 0, rest + offset);
            return new FileRangeStream(handle, offset, length ?? rest);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void ReadExactly(Digest blob, long offset, Span<byte> destination) => _blobs.ReadExactly(blob, offset, destination);

    /// <inheritdoc/>
    public Task VerifyAsync(Digest blob, Action<long>? advance, CancellationToken cancellationToken) =>
        Task.Run(() => _blobs.Check(blob, advance, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobReceipt> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var blob in ListAgedAsync(cancellationToken).ConfigureAwait(false))
            yield return new BlobReceipt(blob.Digest, blob.SizeBytes, IsNew: false);
    }

    /// <inheritdoc/>
    public Task<bool> CreateRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        Task.Run(() => _records.Create(name, content.Span), cancellationToken);

    /// <inheritdoc/>
    public Task WriteRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        Task.Run(() => _records.Write(name, content.Span), cancellationToken);

    /// <inheritdoc/>
    public Task<byte[]?> ReadRecordAsync(string name, CancellationToken cancellationToken) => _records.ReadAsync(name, cancellationToken);

    /// <inheritdoc/>
    public Task DeleteRecordAsync(string name, CancellationToken cancellationToken)
    {
        _records.Delete(name);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<string> ListRecordsAsync(string prefix, CancellationToken cancellationToken) => _records.ListAsync(prefix, cancellationToken);

    /// <inheritdoc/>
    public Task ProbeAsync(CancellationToken cancellationToken) => Task.Run(
        () =>
        {
            _records.Probe();
            _temporaries.CheckSpace(1);
        }, cancellationToken);

    /// <summary>Why large blobs could not be stored now; null when they could.</summary>
    public string? FindShortage() => _temporaries.FindShortage();

    /// <inheritdoc/>
    public async IAsyncEnumerable<AgedBlob> ListAgedAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var (blob, file) in _blobs.List())
        {
            cancellationToken.ThrowIfCancellationRequested();
            file.Refresh();
            if (file.Exists)
                yield return new AgedBlob(blob, file.Length, file.LastWriteTimeUtc);
        }
        await Task.CompletedTask.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<bool> TouchAsync(Digest blob, CancellationToken cancellationToken) => Task.FromResult(Touch(blob, _options.Time.GetUtcNow()));

    /// <inheritdoc/>
    public Task<bool> DeleteAsync(Digest blob, DateTimeOffset unusedSince, CancellationToken cancellationToken) =>
        Task.Run(() => DeleteUnused(blob, unusedSince), cancellationToken);

    /// <summary>Takes a blob away. For the owner of the whole store, who knows that nothing names it any more.</summary>
    public void Delete(Digest blob)
    {
        _blobs.Checked.Forget(blob);
        var path = _blobs.PathOf(blob);
        if (File.Exists(path))
            File.Delete(path);
    }

    /// <summary>Marks a blob as used; false when it is not here.</summary>
    internal bool Touch(Digest blob, DateTimeOffset now)
    {
        try
        {
            File.SetLastWriteTimeUtc(_blobs.PathOf(blob), now.UtcDateTime);
            return true;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
    }

    /// <summary>The caller has just compared a blob with its digest.</summary>
    internal void MarkChecked(Digest blob) => _blobs.Checked.Add(blob);

    /// <summary>The files of all blobs.</summary>
    internal IEnumerable<FileInfo> Files() => _blobs.All();

    private bool DeleteUnused(Digest blob, DateTimeOffset unusedSince)
    {
        var path = _blobs.PathOf(blob);
        if (!File.Exists(path) || File.GetLastWriteTimeUtc(path) >= unusedSince.UtcDateTime)
            return false;
        // Renamed first: a put that comes now finds nothing to touch and writes the blob again. One that came just before
        // has touched the file, which shows now, and the blob goes back to its place.
        var aside = _temporaries.NewPath();
        try
        {
            File.Move(path, aside);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false; // another process deleted it
        }
        if (File.GetLastWriteTimeUtc(aside) >= unusedSince.UtcDateTime)
        {
            FileSystemCalls.PublishExclusive(aside, path);
            return false;
        }
        _blobs.Checked.Forget(blob);
        File.Delete(aside);
        return true;
    }

    private BlobReceipt Put(ReadOnlySpan<byte> content)
    {
        var digest = Digest.Of(content);
        return new BlobReceipt(
            digest, content.Length,
            !IsKept(digest, content.Length) && PublishBlob(_temporaries.Write(content, isReadOnly: true), digest, content.Length));
    }

    /// <summary>
    /// Whether a blob is stored whole. Putting it resets its age, so that no collection deletes it before a manifest names it; one
    /// that is damaged is set aside, so that the put heals the store.
    /// </summary>
    private bool IsKept(Digest digest, long length) => _blobs.IsIntact(digest, length) && Touch(digest, _options.Time.GetUtcNow());

    private bool PublishBlob(string temporary, Digest digest, long length)
    {
        var path = _blobs.PathOf(digest);
        Faults.Reach(FaultPoints.BlobPublish);
        var isNew = _temporaries.Publish(path, () =>
        {
            if (!IsKept(digest, length))
                return FileSystemCalls.PublishExclusive(temporary, path);
            File.Delete(temporary);
            return false;
        });
        Faults.Reach(FaultPoints.BlobPublished);
        return isNew;
    }
}
