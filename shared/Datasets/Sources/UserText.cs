using System.Security.Cryptography;
using System.Text;
using Espalier.Contracts;

namespace Espalier.Datasets.Sources;

/// <summary>
/// The user's own text. A file is cut into documents at form feeds, or else at blank lines into pieces of about 2 KB
/// (less for a small file, so that there are enough to split). A folder gives one document per file, in path order;
/// with fewer than 20 files, these are cut as well, and so are files too large for one document. Pieces are named by the hash of their
/// text, so the same text is on the same side of the split wherever it stands.
/// </summary>
internal static class UserText
{
    private const int MaxFiles = 200_000;
    private const int EnoughFiles = 20;
    private const int Block = 1 << 16;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Text of a file.</summary>
    public static IEnumerable<Document> ReadFile(string path, CancellationToken cancellationToken) => IsText(path, cancellationToken)
        ? Pieces(path)
        : throw new UserInputException($"{path} is not UTF-8 text (it holds bytes that no text has): convert it, or point to a text file.");

    /// <summary>Text of a folder.</summary>
    public static IEnumerable<Document> ReadFolder(string path, Action<string> log, CancellationToken cancellationToken)
    {
        var files = Files(path);
        var isEnough = files.Where(f => IsText(f.File, cancellationToken)).Take(EnoughFiles).Count() == EnoughFiles;
        var skipped = new List<string>();
        foreach (var (file, name) in files)
        {
            if (!IsText(file, cancellationToken))
                skipped.Add(name);
            else if (isEnough && new FileInfo(file).Length <= TextPieces.LongestDocument)
                yield return new Document(name, Whole(file));
            else
            {
                foreach (var piece in Pieces(file))
                    yield return piece;
            }
        }
        if (skipped.Count > 0)
            log($"Warning: {skipped.Count} of {files.Count} files in {path} are not UTF-8 text and were left out, for example {skipped[0]}.");
        if (skipped.Count == files.Count)
            throw new UserInputException(
                $"The folder {path} holds no text: {(files.Count == 0 ? "it has no files" : $"none of its {files.Count} files is UTF-8")}.");
    }

    /// <summary>Digest of the names and bytes of a folder's files.</summary>
    public static string FingerprintFolder(string path, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (file, name) in Files(path))
            hash.AppendData(Encoding.UTF8.GetBytes($"{name}\0{OwnFile.Digest(file, cancellationToken)}\n"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    // Hidden files, links, pipes and devices stay out: links could lead anywhere.
    internal static List<(string File, string Name)> Files(string path)
    {
        if (!Directory.Exists(path))
            throw new UserInputException($"There is no folder {path}.");
        try
        {
            return FilesBelow(path);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new UserInputException($"The folder {path} cannot be read: {e.Message} Change the permissions, or point to another folder.", e);
        }
    }

    private static List<(string File, string Name)> FilesBelow(string path)
    {
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            AttributesToSkip = FileAttributes.ReparsePoint | FileAttributes.Hidden,
            IgnoreInaccessible = false,
        };
        var files = new List<(string File, string Name)>();
        var bytes = 0L;
        foreach (var file in new DirectoryInfo(path).EnumerateFiles("*", options).Where(f => OwnFile.IsRegular(f.FullName)))
        {
            bytes += file.Length;
            if (files.Count >= MaxFiles || bytes > OwnFile.MostBytes)
                throw new UserInputException($"The folder {path} has more than {MaxFiles} files or {OwnFile.MostBytes >> 30} GiB; point to a smaller one.");
            files.Add((file.FullName, Path.GetRelativePath(path, file.FullName).Replace('\\', '/')));
        }
        return [.. files.OrderBy(f => f.Name, StringComparer.Ordinal)];
    }

    private static IEnumerable<Document> Pieces(string path) => TextPieces.Cut(() => Reader(path), path);

    private static string Whole(string path)
    {
        using var reader = Reader(path);
        return reader.ReadToEnd();
    }

    private static bool IsText(string path, CancellationToken cancellationToken)
    {
        using var reader = Reader(path);
        var block = new char[Block];
        try
        {
            for (int read; (read = reader.Read(block)) > 0;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (block.AsSpan(0, read).Contains('\0'))
                    return false;
            }
            return true;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }

    private static StreamReader Reader(string path) => new(OwnFile.Open(path), Strict, detectEncodingFromByteOrderMarks: false, Block);
}
