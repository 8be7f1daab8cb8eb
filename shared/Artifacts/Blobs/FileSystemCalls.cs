using System.Runtime.InteropServices;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// The few system calls that .NET does not offer: an exclusive publish (<c>File.Move</c> without overwrite checks first and
/// renames then, so two processes can both win), a flush of a folder, and a path with every link resolved.
/// </summary>
internal static partial class FileSystemCalls
{
    /// <summary>errno of a full disk or an exhausted quota.</summary>
    public const int NoSpace = 28, QuotaExceeded = 122;

    private const int AlreadyExists = 17, NotPermitted = 1, NotSupported = 95, TooManyLinks = 31;
    private const int CurrentDirectory = -100;
    private const uint NoReplace = 1;

    /// <summary>Gives a finished temporary file its final name unless the name is taken; the temporary name is gone afterwards.</summary>
    /// <returns>Whether this call made the name.</returns>
    public static bool PublishExclusive(string temporary, string final)
    {
        if (OperatingSystem.IsWindows())
            return MoveOnWindows(temporary, final);
        if (Link(temporary, final) == 0)
        {
            File.Delete(temporary);
            return true;
        }
        var error = Marshal.GetLastPInvokeError();
        // File systems without hard links can still rename without replacing.
        if (error is NotPermitted or NotSupported or TooManyLinks && OperatingSystem.IsLinux())
        {
            if (Rename(CurrentDirectory, temporary, CurrentDirectory, final, NoReplace) == 0)
                return true;
            error = Marshal.GetLastPInvokeError();
        }
        if (error != AlreadyExists)
            throw new IOException($"Cannot publish '{final}': {Marshal.GetPInvokeErrorMessage(error)}.", error);
        File.Delete(temporary);
        return false;
    }

    /// <summary>Makes names in a folder survive a power loss.</summary>
    public static void FlushDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
            return;
        var descriptor = Open(path, 0);
        if (descriptor < 0)
            throw new IOException($"Cannot open the folder '{path}': {Marshal.GetLastPInvokeErrorMessage()}.", Marshal.GetLastPInvokeError());
        var failed = Flush(descriptor) != 0;
        var error = Marshal.GetLastPInvokeError();
        _ = Close(descriptor);
        // Some network file systems cannot flush folders (EINVAL); everything else is a fault.
        if (failed && error != 22)
            throw new IOException($"Cannot flush the folder '{path}': {Marshal.GetPInvokeErrorMessage(error)}.", error);
    }

    /// <summary>The absolute path with every link resolved, or null when something on it does not exist.</summary>
    public static string? RealPath(string path)
    {
        if (OperatingSystem.IsWindows())
            return Path.Exists(path) ? Path.GetFullPath(path) : null;
        var resolved = RealPath(path, 0);
        if (resolved == 0)
            return null;
        var text = Marshal.PtrToStringUTF8(resolved);
        Free(resolved);
        return text;
    }

    private static bool MoveOnWindows(string temporary, string final)
    {
        try
        {
            File.Move(temporary, final, overwrite: false);
            return true;
        }
        catch (IOException) when (File.Exists(final))
        {
            File.Delete(temporary);
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string created);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Rename(int fromFolder, string from, int toFolder, string to, uint flags);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Flush(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "realpath", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint RealPath(string path, nint buffer);

    [LibraryImport("libc", EntryPoint = "free")]
    private static partial void Free(nint memory);
}
