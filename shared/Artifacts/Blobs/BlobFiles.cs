using System.Buffers;
using System.Security.Cryptography;
using Espalier.Contracts;
using Microsoft.Win32.SafeHandles;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// The blobs of a file store, for reading: <c>blobs/ab/cdef...</c> by digest. Whoever reads one for the first time reads it
/// whole, so that no flipped bit gets any further; a damaged file goes to <c>damaged</c>.
/// </summary>
internal sealed class BlobFiles(string root, FileBlobStoreOptions options, TemporaryFiles temporaries)
{
    private const int ChunkBytes = 1 << 20;
    private readonly string _folder = Directory.CreateDirectory(Path.Combine(root, "blobs")).FullName;
    private readonly string _damaged = Path.Combine(root, "damaged");

    /// <summary>What was checked.</summary>
    public CheckedBlobs Checked { get; } = new();

    /// <summary>Where a blob is.</summary>
    public string PathOf(Digest blob) => Path.Combine(_folder, blob.Hex[..2], blob.Hex[2..]);

    /// <summary>All files, in the order of their digests.</summary>
    public IEnumerable<(Digest Blob, FileInfo File)> List() =>
        from folder in Directory.EnumerateDirectories(_folder).Order(StringComparer.Ordinal)
        from file in new DirectoryInfo(folder).EnumerateFiles().OrderBy(f => f.Name, StringComparer.Ordinal)
        let digest = Digest.TryParse(Path.GetFileName(folder) + file.Name, out var parsed) ? parsed : default
        where !digest.IsEmpty
        select (digest, file);

    /// <summary>Every file below, blob or not.</summary>
    public IEnumerable<FileInfo> All() => new DirectoryInfo(_folder).EnumerateFiles("*", SearchOption.AllDirectories);

    /// <summary>Opens a blob without checking it.</summary>
    /// <exception cref="MissingBlobException">It is not there, or was set aside.</exception>
    public SafeFileHandle Open(Digest blob)
    {
        try
        {
            return File.OpenHandle(PathOf(blob), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw File.Exists(AsideOf(blob))
                ? DamagedBlobException.FoundEarlier(blob, root, AsideOf(blob))
                : new MissingBlobException(blob, $"The store at {root} has no blob {blob.Hex}.");
        }
    }

    /// <summary>Fills a buffer; a blob that is read whole for the first time is checked in the buffer.</summary>
    public void ReadExactly(Digest blob, long offset, Span<byte> destination)
    {
        var isChecked = Checked.Knows(blob);
        using (var handle = Open(blob))
        {
            if (isChecked || offset == 0 && destination.Length == RandomAccess.GetLength(handle))
            {
                Fill(blob, handle, offset, destination);
                if (isChecked || Digest.Of(destination) == blob)
                {
                    Checked.Add(blob);
                    return;
                }
            }
        }
        Checked.Ensure(blob, b => Check(b, null, CancellationToken.None));
        ReadExactly(blob, offset, destination);
    }

    /// <summary>Reads a blob whole and compares it with its digest.</summary>
    /// <param name="blob">The blob.</param>
    /// <param name="advance">Gets the number of bytes of each part that was read.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="DamagedBlobException">It is damaged, and was set aside.</exception>
    public void Check(Digest blob, Action<long>? advance, CancellationToken cancellationToken)
    {
        bool matches;
        using (var handle = Open(blob))
            matches = Hash(handle, advance, cancellationToken) == blob;
        if (matches)
            Checked.Add(blob);
        else if (SetAside(blob) is { } aside)
            throw DamagedBlobException.Found(blob, root, aside);
    }

    /// <summary>Whether a blob is there whole. One that is damaged is set aside.</summary>
    public bool IsIntact(Digest blob, long length)
    {
        var file = new FileInfo(PathOf(blob));
        if (!file.Exists)
            return false;
        try
        {
            if (file.Length == length)
                Checked.Ensure(blob, b => Check(b, null, CancellationToken.None));
            else
                SetAside(blob);
            return file.Length == length;
        }
        catch (MissingBlobException)
        {
            return false;
        }
    }

    public static EndOfStreamException BeyondEnd(Digest blob, long offset, long length, long size) =>
        new($"The blob {blob.Short} has {size} bytes; {length} bytes from {offset} on were asked for.");

    /// <summary>Moves a damaged file out of the way; null when another process has put an intact one there meanwhile.</summary>
    private string? SetAside(Digest blob)
    {
        Checked.Forget(blob);
        if (!options.KeepsDamaged)
        {
            File.Delete(PathOf(blob));
            return "It was a copy, and is gone.";
        }
        var aside = AsideOf(blob);
        var moved = temporaries.NewPath();
        try
        {
            Directory.CreateDirectory(_damaged);
            File.Move(PathOf(blob), moved);
            // Only what was really moved counts: the name may have got a whole file since it was read.
            using (var handle = File.OpenHandle(moved))
            {
                if (Hash(handle, null, CancellationToken.None) == blob)
                {
                    FileSystemCalls.PublishExclusive(moved, PathOf(blob));
                    return null;
                }
            }
            File.Move(moved, aside, overwrite: true);
            return $"It was set aside as {aside}.";
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return $"Another process set it aside in {_damaged}.";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"It could not be set aside: {e.Message}";
        }
    }

    private string AsideOf(Digest blob) => Path.Combine(_damaged, blob.Hex);

    private static void Fill(Digest blob, SafeFileHandle handle, long offset, Span<byte> destination)
    {
        for (var filled = 0; filled < destination.Length;)
        {
            var read = RandomAccess.Read(handle, destination[filled..], offset + filled);
            if (read == 0)
                throw BeyondEnd(blob, offset, destination.Length, RandomAccess.GetLength(handle));
            filled += read;
        }
    }

    private static Digest Hash(SafeFileHandle handle, Action<long>? advance, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            long at = 0;
            for (int read; (read = RandomAccess.Read(handle, buffer.AsSpan(0, ChunkBytes), at)) > 0; at += read)
            {
                cancellationToken.ThrowIfCancellationRequested();
                hash.AppendData(buffer, 0, read);
                advance?.Invoke(read);
            }
            return Digest.FromHash(hash.GetHashAndReset());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
