using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Espalier.Contracts;
using Espalier.FaultInjection;
using Microsoft.Win32.SafeHandles;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// Blobs and records as files: <c>blobs/ab/cdef...</c> by digest, <c>records/folder/name</c>, and <c>tmp</c> for what is
/// being written. A write goes to a temporary file, is flushed, and gets its name by <c>link</c>, which is exclusive across
/// threads and processes; a crash leaves at most a temporary file, which a later start deletes.
/// </summary>
public sealed class FileBlobStore : ICollectableBlobStore
{
    private const int CopyBytes = 1 << 20;
    private readonly FileBlobStoreOptions _options;
    private readonly string _blobs;
    private readonly string _records;
    private readonly string _temporary;

    /// <summary>Opens a store, making its folders when they are missing, and deletes temporary files that a crash left long ago.</summary>
    /// <param name="path">The store's folder.</param>
    /// <param name="options">How it behaves; null takes the defaults.</param>
    public FileBlobStore(string path, FileBlobStoreOptions? options = null)
    {
        _options = options ?? new FileBlobStoreOptions();
        Root = Path.GetFullPath(path);
        _blobs = Directory.CreateDirectory(Path.Combine(Root, "blobs")).FullName;
        _records = Directory.CreateDirectory(Path.Combine(Root, "records")).FullName;
        _temporary = Directory.CreateDirectory(Path.Combine(Root, "tmp")).FullName;
        SweepTemporaryFiles();
    }

    /// <summary>The store's folder.</summary>
    public string Root { get; }

    /// <inheritdoc/>
    public Task<bool> ExistsAsync(Digest blob, CancellationToken cancellationToken) => Task.FromResult(File.Exists(BlobPath(blob)));

    /// <inheritdoc/>
    public Task<long?> FindLengthAsync(Digest blob, CancellationToken cancellationToken)
    {
        var file = new FileInfo(BlobPath(blob));
        return Task.FromResult<long?>(file.Exists ? file.Length : null);
    }

    /// <inheritdoc/>
    public async Task<BlobReceipt> PutAsync(Stream content, CancellationToken cancellationToken)
    {
        if (content.CanSeek)
            CheckSpace(content.Length - content.Position);
        var temporary = TemporaryPath();
        long length = 0;
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
            using (var file = CreateTemporary(temporary))
            {
                for (int read; (read = await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0; length += read)
                {
                    hash.AppendData(buffer, 0, read);
                    Write(file, buffer.AsSpan(0, read), length);
                }
                Finish(file);
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
    public Task<Stream> OpenReadAsync(Digest blob, long offset, long? length, CancellationToken cancellationToken)
    {
        var handle = Open(blob);
        try
        {
            var rest = RandomAccess.GetLength(handle) - offset;
            if (offset < 0 || rest < 0 || length > rest)
                throw BeyondEnd(blob, offset, length ?? 0, rest + offset);
            return Task.FromResult<Stream>(new FileRangeStream(handle, offset, length ?? rest));
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void ReadExactly(Digest blob, long offset, Span<byte> destination)
    {
        using var handle = Open(blob);
        for (var filled = 0; filled < destination.Length;)
        {
            var read = RandomAccess.Read(handle, destination[filled..], offset + filled);
            if (read == 0)
                throw BeyondEnd(blob, offset, destination.Length, RandomAccess.GetLength(handle));
            filled += read;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobReceipt> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var folder in Directory.EnumerateDirectories(_blobs).Order(StringComparer.Ordinal))
            foreach (var file in new DirectoryInfo(folder).EnumerateFiles().OrderBy(f => f.Name, StringComparer.Ordinal))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (Digest.TryParse(Path.GetFileName(folder) + file.Name, out var digest))
                    yield return new BlobReceipt(digest, file.Length, IsNew: false);
            }
        await Task.CompletedTask.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<bool> CreateRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        Task.Run(
            () =>
            {
                var path = RecordPath(name);
                if (File.Exists(path))
                    return false;
                var temporary = WriteTemporary(content.Span);
                Faults.Reach(FaultPoints.RecordPublish);
                return InFolderOf(path, () => FileSystemCalls.PublishExclusive(temporary, path));
            },
            cancellationToken);

    /// <inheritdoc/>
    public Task WriteRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        Task.Run(
            () =>
            {
                var path = RecordPath(name);
                var temporary = WriteTemporary(content.Span);
                Faults.Reach(FaultPoints.RecordPublish);
                InFolderOf(path, () =>
                {
                    File.Move(temporary, path, overwrite: true);
                    return true;
                });
            },
            cancellationToken);

    /// <inheritdoc/>
    public async Task<byte[]?> ReadRecordAsync(string name, CancellationToken cancellationToken)
    {
        var path = RecordPath(name);
        if (!File.Exists(path))
            return null; // many are asked for that are not there, and an exception costs a hundred times as much
        try
        {
            return await File.ReadAllBytesAsync(path, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public Task DeleteRecordAsync(string name, CancellationToken cancellationToken)
    {
        var path = RecordPath(name);
        if (File.Exists(path))
            File.Delete(path);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ListRecordsAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var names = Directory.EnumerateFiles(_records, "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(_records, f).Replace(Path.DirectorySeparatorChar, '/'))
            .Where(n => n.StartsWith(prefix, StringComparison.Ordinal) && RecordName.IsValid(n));
        foreach (var name in names.Order(StringComparer.Ordinal))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return name;
        }
        await Task.CompletedTask.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task ProbeAsync(CancellationToken cancellationToken) =>
        Task.Run(() => Directory.EnumerateFileSystemEntries(_records).Any(), cancellationToken); // a missing record hides a missing folder

    /// <inheritdoc/>
    public async IAsyncEnumerable<AgedBlob> ListAgedAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var folder in Directory.EnumerateDirectories(_blobs).Order(StringComparer.Ordinal))
            foreach (var file in new DirectoryInfo(folder).EnumerateFiles().OrderBy(f => f.Name, StringComparer.Ordinal))
            {
                cancellationToken.ThrowIfCancellationRequested();
                file.Refresh();
                if (Digest.TryParse(Path.GetFileName(folder) + file.Name, out var digest) && file.Exists)
                    yield return new AgedBlob(digest, file.Length, file.LastWriteTimeUtc);
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
        var path = BlobPath(blob);
        if (File.Exists(path))
            File.Delete(path);
    }

    /// <summary>Marks a blob as used; false when it is not here.</summary>
    internal bool Touch(Digest blob, DateTimeOffset now)
    {
        try
        {
            File.SetLastWriteTimeUtc(BlobPath(blob), now.UtcDateTime);
            return true;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
    }

    /// <summary>The files of all blobs.</summary>
    internal IEnumerable<FileInfo> BlobFiles() => new DirectoryInfo(_blobs).EnumerateFiles("*", SearchOption.AllDirectories);

    private bool DeleteUnused(Digest blob, DateTimeOffset unusedSince)
    {
        var path = BlobPath(blob);
        if (!File.Exists(path) || File.GetLastWriteTimeUtc(path) >= unusedSince.UtcDateTime)
            return false;
        // Renamed first: a put that comes now finds nothing to touch and writes the blob again. One that came just before
        // has touched the file, which shows now, and the blob goes back to its place.
        var aside = TemporaryPath();
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
        File.Delete(aside);
        return true;
    }

    private BlobReceipt Put(ReadOnlySpan<byte> content)
    {
        var digest = Digest.Of(content);
        var existing = new FileInfo(BlobPath(digest));
        // Putting a blob that exists resets its age, so that no collection deletes it before a manifest names it.
        if (existing.Exists && existing.Length == content.Length && Touch(digest, _options.Time.GetUtcNow()))
            return new BlobReceipt(digest, content.Length, IsNew: false);
        return new BlobReceipt(digest, content.Length, PublishBlob(WriteTemporary(content, isReadOnly: true), digest, content.Length));
    }

    private bool PublishBlob(string temporary, Digest digest, long length)
    {
        var path = BlobPath(digest);
        Faults.Reach(FaultPoints.BlobPublish);
        var isNew = InFolderOf(path, () =>
        {
            var existing = new FileInfo(path);
            if (existing.Exists && existing.Length == length && Touch(digest, _options.Time.GetUtcNow()))
            {
                File.Delete(temporary);
                return false;
            }
            // A file of another length is not the blob: a disk lost part of it. Put the whole one in its place.
            // What counts is the look from before: another thread may have published the same bytes since.
            if (!existing.Exists || existing.Length == length)
                return FileSystemCalls.PublishExclusive(temporary, path);
            File.Move(temporary, path, overwrite: true);
            return true;
        });
        Faults.Reach(FaultPoints.BlobPublished);
        return isNew;
    }

    private T InFolderOf<T>(string path, Func<T> publish)
    {
        var folder = Path.GetDirectoryName(path)!;
        var isNewFolder = !Directory.Exists(folder);
        Directory.CreateDirectory(folder);
        var result = publish();
        if (!_options.IsDurable)
            return result;
        FileSystemCalls.FlushDirectory(folder);
        for (var parent = folder; isNewFolder && parent.Length > Root.Length;)
            FileSystemCalls.FlushDirectory(parent = Path.GetDirectoryName(parent)!);
        return result;
    }

    private string WriteTemporary(ReadOnlySpan<byte> content, bool isReadOnly = false)
    {
        CheckSpace(content.Length);
        var temporary = TemporaryPath();
        try
        {
            using var file = CreateTemporary(temporary);
            Write(file, content, 0);
            Finish(file, isReadOnly);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
        return temporary;
    }

    private static SafeFileHandle CreateTemporary(string path) => File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);

    private void Write(SafeFileHandle file, ReadOnlySpan<byte> content, long offset)
    {
        if (Faults.ReachWrite(FaultPoints.BlobWrite, content.Length) is { } part)
        {
            RandomAccess.Write(file, content[..part], offset);
            Faults.EndProcess();
        }
        try
        {
            RandomAccess.Write(file, content, offset);
        }
        catch (IOException e) when (IsFull(e))
        {
            throw NoSpace(offset + content.Length, e);
        }
    }

    private void Finish(SafeFileHandle file, bool isReadOnly = true)
    {
        if (isReadOnly && !OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        if (!_options.IsDurable)
            return;
        try
        {
            RandomAccess.FlushToDisk(file);
        }
        catch (IOException e) when (IsFull(e)) // some file systems report it only now
        {
            throw NoSpace(RandomAccess.GetLength(file), e);
        }
    }

    private static bool IsFull(IOException e) => e.HResult is FileSystemCalls.NoSpace or FileSystemCalls.QuotaExceeded;

    private void CheckSpace(long length)
    {
        // Small blobs must not take the last of the disk either: a ledger beside the store has to record what happened.
        var reserved = length >= CopyBytes ? _options.ReservedBytes : _options.ReservedBytes / 16;
        if (reserved > 0 && new DriveInfo(Root).AvailableFreeSpace - reserved < length)
            throw NoSpace(length, null);
    }

    private IOException NoSpace(long length, Exception? cause) =>
        new(
            $"No space for {length} bytes in the store at {Root}: {new DriveInfo(Root).AvailableFreeSpace} bytes are free, of which "
                + $"{_options.ReservedBytes} stay reserved. Nothing was stored. Free some space there, or put the store on a larger disk.",
            cause);

    private SafeFileHandle Open(Digest blob)
    {
        try
        {
            return File.OpenHandle(BlobPath(blob), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new MissingBlobException(blob, $"The store at {Root} has no blob {blob.Hex}.");
        }
    }

    private static EndOfStreamException BeyondEnd(Digest blob, long offset, long length, long size) =>
        new($"The blob {blob.Short} has {size} bytes; {length} bytes from {offset} on were asked for.");

    private string BlobPath(Digest blob) => Path.Combine(_blobs, blob.Hex[..2], blob.Hex[2..]);

    private string RecordPath(string name) => Path.Combine(_records, RecordName.Check(name));

    private string TemporaryPath() => Path.Combine(_temporary, Guid.NewGuid().ToString("n"));

    private void SweepTemporaryFiles()
    {
        var oldest = _options.Time.GetUtcNow() - _options.TemporaryFileGrace;
        foreach (var file in new DirectoryInfo(_temporary).EnumerateFiles())
            if (file.LastWriteTimeUtc < oldest.UtcDateTime)
                file.Delete();
    }
}
