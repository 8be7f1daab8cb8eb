using Espalier.FaultInjection;
using Microsoft.Win32.SafeHandles;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// How a file store writes: to a temporary file, flushed, which then gets its name. A crash leaves at most a temporary file,
/// which a later start deletes.
/// </summary>
internal sealed class TemporaryFiles
{
    private readonly FileBlobStoreOptions _options;
    private readonly string _root;
    private readonly string _folder;

    public TemporaryFiles(string root, FileBlobStoreOptions options)
    {
        _options = options;
        _root = root;
        _folder = Directory.CreateDirectory(Path.Combine(root, "tmp")).FullName;
        Sweep();
    }

    /// <summary>Size from which a write must leave the whole reserve free.</summary>
    public const int LargeBytes = 1 << 20;

    /// <summary>A name that nothing has.</summary>
    public string NewPath() => Path.Combine(_folder, Guid.NewGuid().ToString("n"));

    /// <summary>Makes an empty temporary file.</summary>
    public static SafeFileHandle Create(string path) => File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);

    /// <summary>Writes a finished temporary file.</summary>
    public string Write(ReadOnlySpan<byte> content, bool isReadOnly = false)
    {
        CheckSpace(content.Length);
        var temporary = NewPath();
        try
        {
            using var file = Create(temporary);
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

    /// <summary>Writes part of a temporary file.</summary>
    /// <exception cref="IOException">The disk is full, or cannot be written.</exception>
    public void Write(SafeFileHandle file, ReadOnlySpan<byte> content, long offset)
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

    /// <summary>Flushes a temporary file, which is complete now.</summary>
    public void Finish(SafeFileHandle file, bool isReadOnly = true)
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

    /// <summary>Publishes a file in its folder, which is made when it is missing, and flushes the folder.</summary>
    public T Publish<T>(string path, Func<T> publish)
    {
        var folder = Path.GetDirectoryName(path)!;
        var isNewFolder = !Directory.Exists(folder);
        Directory.CreateDirectory(folder);
        var result = publish();
        if (!_options.IsDurable)
            return result;
        FileSystemCalls.FlushDirectory(folder);
        for (var parent = folder; isNewFolder && parent.Length > _root.Length;)
            FileSystemCalls.FlushDirectory(parent = Path.GetDirectoryName(parent)!);
        return result;
    }

    /// <exception cref="IOException">There is too little space for as many bytes.</exception>
    public void CheckSpace(long length)
    {
        var reserved = ReservedFor(length);
        if (reserved > 0 && FreeBytes - reserved < length)
            throw NoSpace(length, null);
    }

    /// <summary>Why large blobs could not be stored now; null when they could.</summary>
    public string? FindShortage() => FreeBytes >= _options.ReservedBytes ? null :
        $"The disk of {_root} has {FreeBytes:N0} bytes free. What has {LargeBytes:N0} bytes and more is not stored while fewer than "
            + $"{_options.ReservedBytes:N0} are: free some space there, or put the store on a larger disk.";

    private long FreeBytes => new DriveInfo(_root).AvailableFreeSpace;

    /// <summary>Small blobs must not take the last of the disk either: a ledger beside the store has to record what happened.</summary>
    private long ReservedFor(long length) => length >= LargeBytes ? _options.ReservedBytes : _options.ReservedBytes / 16;

    private static bool IsFull(IOException e) => e.HResult is FileSystemCalls.NoSpace or FileSystemCalls.QuotaExceeded;

    private IOException NoSpace(long length, Exception? cause) =>
        new(
            $"No space for {length} bytes in the store at {_root}: {FreeBytes} bytes are free, of which "
                + $"{ReservedFor(length)} stay reserved. Nothing was stored. Free some space there, or put the store on a larger disk.",
            cause) { HResult = FileSystemCalls.NoSpace };

    private void Sweep()
    {
        var oldest = _options.Time.GetUtcNow() - _options.TemporaryFileGrace;
        foreach (var file in new DirectoryInfo(_folder).EnumerateFiles())
            if (file.LastWriteTimeUtc < oldest.UtcDateTime)
                file.Delete();
    }
}
