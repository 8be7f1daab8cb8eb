using System.Security.Cryptography;
using System.Text;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts.Uploads;

/// <summary>A file that was uploaded, or is to be.</summary>
/// <param name="Path">Its path within the folder; its name, where it is the only one.</param>
/// <param name="Digest">Digest of its bytes.</param>
/// <param name="SizeBytes">How many there are.</param>
/// <param name="Parts">
/// Digests of its parts, each of <see cref="UploadListing.PartBytes"/> but the last: an upload that broke off goes on with the next.
/// </param>
public sealed record UploadedFile(string Path, Digest Digest, long SizeBytes, IReadOnlyList<Digest> Parts);

/// <summary>What was uploaded under one name: a file, or the files of a folder.</summary>
public sealed record UploadListing
{
    /// <summary>Bytes of a part.</summary>
    public const int PartBytes = 32 << 20;

    private const long LongestFile = 1L << 44; // what is claimed from outside must be counted and added up

    /// <summary>Whether it is a folder; else it has one file.</summary>
    public required bool IsFolder { get; init; }

    /// <summary>The files, by path.</summary>
    public required IReadOnlyList<UploadedFile> Files { get; init; }

    /// <summary>Bytes of all files.</summary>
    public long SizeBytes => Files.Sum(f => f.SizeBytes);

    /// <summary>What step keys go by: the digest of the file, or of the names and digests of the folder's files.</summary>
    public Digest FindFingerprint()
    {
        if (!IsFolder)
            return Files[0].Digest;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in Files)
            hash.AppendData(Encoding.UTF8.GetBytes($"{file.Path}\0{file.Digest.Hex}\n"));
        return Digest.Parse(Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    /// <summary>Checks everything that can be checked without the bytes: it may come from outside.</summary>
    /// <exception cref="UserInputException">It contradicts itself, or names a path that leads out of its folder.</exception>
    public void Check()
    {
        // What was read from JSON may hold null wherever a type says that it does not.
        if (Files is null || Files.Any(f => f?.Path is null || f.Parts is null) || Files.Count == 0 || (!IsFolder && Files.Count != 1))
            throw new UserInputException("An upload lists its files with path, digest, length and parts: at least one, and one only where it is no folder.");
        try
        {
            foreach (var file in Files)
                EntryPath.Check(file.Path);
        }
        catch (ArgumentException e)
        {
            throw new UserInputException(e.Message, e);
        }
        for (var i = 1; i < Files.Count; i++)
        {
            if (string.CompareOrdinal(Files[i - 1].Path, Files[i].Path) >= 0)
                throw new UserInputException($"The files of an upload are listed by path, each once: '{Files[i].Path}' is not in its place.");
        }
        if (Files.FirstOrDefault(f => !IsConsistent(f)) is { } wrong)
            throw new UserInputException($"The upload contradicts itself about '{wrong.Path}': its parts do not fit its length and digest.");
    }

    private static bool IsConsistent(UploadedFile file) =>
        file.SizeBytes is >= 0 and <= LongestFile && file.Parts.Count == CountParts(file.SizeBytes) && (file.Parts.Count > 1 || file.Parts[0] == file.Digest);

    /// <summary>In how many parts a file of a length is sent; an empty file is one.</summary>
    public static int CountParts(long bytes) => (int)Math.Max(1, (bytes + PartBytes - 1) / PartBytes);
}
