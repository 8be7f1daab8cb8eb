using System.Collections.Concurrent;
using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// A local copy of the blobs that were read or written last, in front of a remote store. A blob is fetched whole, its digest
/// checked, and served from the disk from then on; when the cap is passed, the blobs used longest ago go first. Records
/// always come from the remote store. Several processes may share the folder.
/// </summary>
public sealed class CachingBlobStore : ICollectableBlobStore
{
    private readonly IBlobStore _remote;
    private readonly FileBlobStore _local;
    private readonly long _capBytes;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<Digest, Lazy<Task>> _fetches = new();
    private readonly Lock _evicting = new();
    private long _bytes;

    /// <summary>Opens a cache.</summary>
    /// <param name="remote">The store behind it.</param>
    /// <param name="folder">Where the copies go.</param>
    /// <param name="capBytes">Bytes that the copies may take; a blob of more than half of it is never copied.</param>
    /// <param name="time">The clock that orders uses.</param>
    public CachingBlobStore(IBlobStore remote, string folder, long capBytes, TimeProvider? time = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capBytes);
        _remote = remote;
        _local = new FileBlobStore(folder, new FileBlobStoreOptions { IsDurable = false, KeepsDamaged = false });
        _capBytes = capBytes;
        _time = time ?? TimeProvider.System;
        _bytes = _local.Files().Sum(f => f.Length);
    }

    /// <summary>Bytes that the copies take.</summary>
    public long CachedBytes => Interlocked.Read(ref _bytes);

    /// <inheritdoc/>
    public Task<bool> ExistsAsync(Digest blob, CancellationToken cancellationToken) => _remote.ExistsAsync(blob, cancellationToken);

    /// <inheritdoc/>
    public Task<long?> FindLengthAsync(Digest blob, CancellationToken cancellationToken) => _remote.FindLengthAsync(blob, cancellationToken);

    /// <inheritdoc/>
    public Task<BlobReceipt> PutAsync(Stream content, CancellationToken cancellationToken) => _remote.PutAsync(content, cancellationToken);

    /// <inheritdoc/>
    public async Task<BlobReceipt> PutAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var receipt = await _remote.PutAsync(content, cancellationToken).ConfigureAwait(false);
        if (content.Length > _capBytes / 2)
            return receipt;
        try
        {
            Account(await _local.PutAsync(content, cancellationToken).ConfigureAwait(false));
        }
        catch (Exception e) when (IsLocalTrouble(e))
        {
            // It is stored; a disk without room for a copy costs a read later.
        }
        return receipt;
    }

    /// <inheritdoc/>
    public async Task<Stream> OpenReadAsync(Digest blob, long offset, long? length, CancellationToken cancellationToken)
    {
        if (!await HoldAsync(blob, cancellationToken).ConfigureAwait(false))
            return await _remote.OpenReadAsync(blob, offset, length, cancellationToken).ConfigureAwait(false);
        try
        {
            return await _local.OpenReadAsync(blob, offset, length, cancellationToken).ConfigureAwait(false);
        }
        catch (MissingBlobException) // evicted in between, or the copy was damaged
        {
            return await _remote.OpenReadAsync(blob, offset, length, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void ReadExactly(Digest blob, long offset, Span<byte> destination)
    {
        // Tensors are read synchronously; the fetch runs on the pool, so waiting for it here cannot deadlock.
        var isHeld = _local.Touch(blob, _time.GetUtcNow()) || Task.Run(() => HoldAsync(blob, CancellationToken.None)).GetAwaiter().GetResult();
        try
        {
            (isHeld ? _local : _remote).ReadExactly(blob, offset, destination);
        }
        catch (MissingBlobException) when (isHeld) // evicted in between, or the copy was damaged
        {
            _remote.ReadExactly(blob, offset, destination);
        }
    }

    /// <inheritdoc/>
    public Task VerifyAsync(Digest blob, Action<long>? advance, CancellationToken cancellationToken) => _remote.VerifyAsync(blob, advance, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<BlobReceipt> ListAsync(CancellationToken cancellationToken) => _remote.ListAsync(cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<AgedBlob> ListAgedAsync(CancellationToken cancellationToken) => Collectable.ListAgedAsync(cancellationToken);

    /// <inheritdoc/>
    public Task<bool> TouchAsync(Digest blob, CancellationToken cancellationToken) => Collectable.TouchAsync(blob, cancellationToken);

    /// <inheritdoc/>
    public async Task<bool> DeleteAsync(Digest blob, DateTimeOffset unusedSince, CancellationToken cancellationToken)
    {
        var isDeleted = await Collectable.DeleteAsync(blob, unusedSince, cancellationToken).ConfigureAwait(false);
        if (isDeleted)
            _local.Delete(blob);
        return isDeleted;
    }

    private ICollectableBlobStore Collectable =>
        _remote as ICollectableBlobStore ?? throw new NotSupportedException($"{_remote.GetType().Name} cannot forget blobs.");

    /// <inheritdoc/>
    public Task<bool> CreateRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        _remote.CreateRecordAsync(name, content, cancellationToken);

    /// <inheritdoc/>
    public Task WriteRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        _remote.WriteRecordAsync(name, content, cancellationToken);

    /// <inheritdoc/>
    public Task<byte[]?> ReadRecordAsync(string name, CancellationToken cancellationToken) => _remote.ReadRecordAsync(name, cancellationToken);

    /// <inheritdoc/>
    public Task DeleteRecordAsync(string name, CancellationToken cancellationToken) => _remote.DeleteRecordAsync(name, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<string> ListRecordsAsync(string prefix, CancellationToken cancellationToken) => _remote.ListRecordsAsync(prefix, cancellationToken);

    /// <summary>Makes sure that a blob is on the local disk; false when it is too large for that.</summary>
    private async Task<bool> HoldAsync(Digest blob, CancellationToken cancellationToken)
    {
        if (_local.Touch(blob, _time.GetUtcNow()))
            return true;
        var length = await _remote.FindLengthAsync(blob, cancellationToken).ConfigureAwait(false)
            ?? throw new MissingBlobException(blob, $"The store behind the cache has no blob {blob.Hex}.");
        if (length > _capBytes / 2)
            return false;
        // One fetch per blob, however many readers wait; it outlives a reader that gives up.
        var fetch = _fetches.GetOrAdd(blob, _ => new Lazy<Task>(() => FetchAsync(blob)));
        try
        {
            await fetch.Value.WaitAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (IsLocalTrouble(e))
        {
            return false; // no room for a copy: the store itself is read, and says so if it is what failed
        }
        finally
        {
            if (fetch.Value.IsCompleted)
                _fetches.TryRemove(KeyValuePair.Create(blob, fetch));
        }
    }

    private static bool IsLocalTrouble(Exception error) => error is (IOException or UnauthorizedAccessException) and not MissingBlobException;

    private async Task FetchAsync(Digest blob)
    {
        var stream = await _remote.OpenReadAsync(blob, 0, null, CancellationToken.None).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            var receipt = await _local.PutAsync(stream, CancellationToken.None).ConfigureAwait(false);
            Account(receipt);
            if (receipt.Digest != blob)
                throw DamagedBlobException.Found(blob, "the other side of the cache", $"They have the digest {receipt.Digest.Hex}.");
            _local.MarkChecked(blob);
        }
    }

    private void Account(BlobReceipt added)
    {
        _local.Touch(added.Digest, _time.GetUtcNow());
        if (!added.IsNew || Interlocked.Add(ref _bytes, added.SizeBytes) <= _capBytes)
            return;
        lock (_evicting)
        {
            // Counted again, since other processes add and evict as well.
            var files = _local.Files().OrderBy(f => f.LastWriteTimeUtc).ToList();
            var bytes = files.Sum(f => f.Length);
            foreach (var file in files.TakeWhile(_ => bytes > _capBytes))
            {
                bytes -= file.Length;
                file.Delete();
            }
            Interlocked.Exchange(ref _bytes, bytes);
        }
    }
}
