using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Espalier.Contracts;

namespace Espalier.Datasets.Sources;

/// <summary>One file of the user, read as hostile input: a pipe would never end, a device would give bytes for ever.</summary>
internal static partial class OwnFile
{
    /// <summary>Bytes that a file may have.</summary>
    public const long MostBytes = 256L << 30;

    private const int Buffer = 1 << 20;
    private const int CurrentDirectory = -100, TypeMask = 0xF000, RegularFile = 0x8000, ModeOffset = 28, StatusBytes = 256, AccessDenied = 13;
    private const uint WantType = 1;

    /// <summary>Whether a path leads to a regular file. It is not opened: to open a pipe can take for ever.</summary>
    public static bool IsRegular(string path)
    {
        if (!File.Exists(path))
            return false;
        if (!OperatingSystem.IsLinux())
            return true;
        Span<byte> status = stackalloc byte[StatusBytes];
        return Status(CurrentDirectory, path, 0, WantType, status) == 0
            && (BinaryPrimitives.ReadUInt16LittleEndian(status[ModeOffset..]) & TypeMask) == RegularFile;
    }

    /// <summary>Digest of a file's bytes.</summary>
    /// <exception cref="UserInputException">It is not a regular file, too large, or cannot be read.</exception>
    public static string Digest(string path, CancellationToken cancellationToken) => Read(path, stream =>
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[Buffer];
        for (int read; (read = stream.Read(buffer)) > 0;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    });

    /// <summary>What something reads out of a file.</summary>
    /// <inheritdoc cref="Digest"/>
    public static T Read<T>(string path, Func<Stream, T> read)
    {
        using var stream = Open(path);
        return read(stream);
    }

    /// <summary>Opens a file for reading from beginning to end; what goes wrong later names the file as well.</summary>
    /// <inheritdoc cref="Digest"/>
    public static Stream Open(string path)
    {
        if (!IsRegular(path))
            throw new UserInputException(
                File.Exists(path)
                    ? $"{path} is not a regular file, but a pipe, a device or a socket: point to a text file."
                    : IsClosed(path)
                        ? $"{path} may not be read: a folder on the way to it may not be entered. Change its permissions, or point to another file."
                        : $"There is no text file {path}.");
        try
        {
            var stream = File.OpenRead(path);
            if (stream.Length <= MostBytes)
                return new BoundedStream(stream, path, MostBytes);
            stream.Dispose();
            throw TooLarge(path);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UserInputException($"{path} may not be read: {e.Message} Change its permissions, or point to another file.", e);
        }
        catch (IOException e)
        {
            throw new UserInputException($"{path} cannot be read: {e.Message}", e);
        }
    }

    // What a folder hides that may not be entered is not known to be absent.
    private static bool IsClosed(string path)
    {
        Span<byte> status = stackalloc byte[StatusBytes];
        return OperatingSystem.IsLinux() && Status(CurrentDirectory, path, 0, WantType, status) != 0 && Marshal.GetLastPInvokeError() == AccessDenied;
    }

    private static UserInputException TooLarge(string path) => new($"{path} is larger than {MostBytes >> 30} GiB; cut it into files and use dir:PATH.");

    // The same layout on every processor, unlike that of stat.
    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Status(int folder, string path, int flags, uint mask, Span<byte> status);
}
