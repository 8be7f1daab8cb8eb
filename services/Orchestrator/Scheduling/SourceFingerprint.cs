using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Espalier.Contracts;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>Digest of the text behind <c>file:</c> and <c>dir:</c>, so that a changed file is new work.</summary>
public static class SourceFingerprint
{
    /// <summary>Digest of the bytes of a file, or of the names and bytes of every file below a folder.</summary>
    /// <param name="source"><c>file:/full/path</c> or <c>dir:/full/path</c>.</param>
    /// <exception cref="UserInputException">There is no such file or folder, or it cannot be read.</exception>
    public static string Of(string source)
    {
        try
        {
            return source.StartsWith("dir:", StringComparison.Ordinal) ? OfFolder(source["dir:".Length..]) : OfFile(source["file:".Length..]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserInputException($"'{source}' cannot be read: {e.Message}", e);
        }
    }

    private static string OfFile(string path)
    {
        if (!File.Exists(path))
            throw new UserInputException($"There is no file '{path}'.");
        using var file = File.OpenRead(path);
        return Digest.FromHash(SHA256.HashData(file)).Hex;
    }

    private static string OfFolder(string path)
    {
        if (!Directory.Exists(path))
            throw new UserInputException($"There is no folder '{path}'.");
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var files = Directory.EnumerateFiles(path, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint })
            .Select(f => Path.GetRelativePath(path, f)).Order(StringComparer.Ordinal);
        foreach (var file in files)
        {
            Add(hash, Encoding.UTF8.GetBytes(file));
            Add(hash, Encoding.ASCII.GetBytes(OfFile(Path.Combine(path, file))));
        }
        return Digest.FromHash(hash.GetHashAndReset()).Hex;
    }

    /// <summary>With its length, so that no two lists of names and digests read alike.</summary>
    private static void Add(IncrementalHash hash, byte[] bytes)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
