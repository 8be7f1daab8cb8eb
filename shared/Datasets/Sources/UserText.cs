using System.Security.Cryptography;
using System.Text;
using Espalier.Contracts;

namespace Espalier.Datasets.Sources;

/// <summary>
/// The user's own text. A file is cut into documents at form feeds, or else at blank lines into pieces of about 2 KB
/// (less for a small file, so that there are enough to split). A folder gives one document per file, in path order;
/// with fewer than 20 files, these are cut as well. Pieces are named by the hash of their text, so the same text is on
/// the same side of the split wherever it stands.
/// </summary>
internal static class UserText
{
    /// <summary>Name of the only domain.</summary>
    public const string Domain = "text";

    private const long MaxFolderBytes = 4L << 30;
    private const int MaxFiles = 200_000;
    private const int EnoughFiles = 20;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Text of a file.</summary>
    public static SourceText FromFile(string path)
    {
        return ToSource("file", path, TextPieces.Cut(ReadText(path)));
    }

    /// <summary>Text of a folder.</summary>
    public static SourceText FromFolder(string path, Action<string> log, CancellationToken cancellationToken)
    {
        var files = Files(path);
        var documents = new List<Document>();
        var skipped = new List<string>();
        foreach (var (file, name) in files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (TryReadText(file) is { } text)
                documents.Add(new Document(name, text));
            else
                skipped.Add(name);
        }
        if (skipped.Count > 0)
            log($"Warning: {skipped.Count} of {files.Count} files in {path} are not UTF-8 text and were left out, for example {skipped[0]}.");
        if (documents.Count == 0)
            throw new UserInputException(
                $"The folder {path} holds no text: {(files.Count == 0 ? "it has no files" : $"none of its {files.Count} files is UTF-8")}.");
        return ToSource("dir", path, documents.Count >= EnoughFiles ? documents : documents.SelectMany(d => TextPieces.Cut(d.Text)));
    }

    /// <summary>Digest of the names and bytes of a folder's files.</summary>
    public static string FingerprintFolder(string path, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (file, name) in Files(path))
            hash.AppendData(Encoding.UTF8.GetBytes($"{name}\0{OwnFile.Digest(file, cancellationToken)}\n"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Documents as the only domain of a source.</summary>
    /// <exception cref="UserInputException">There is no text in them.</exception>
    internal static SourceText ToSource(string source, string path, IEnumerable<Document> documents)
    {
        var domain = DomainText.Create(Domain, "the user's own text", [], documents);
        return domain.Documents.Count > 0
            ? new SourceText(source, [domain], [])
            : throw new UserInputException($"{path} holds no text: it is empty or only white space.");
    }

    // Hidden files, links, pipes and devices stay out: links could lead anywhere.
    private static List<(string File, string Name)> Files(string path)
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
            if (files.Count >= MaxFiles || bytes > MaxFolderBytes)
                throw new UserInputException($"The folder {path} has more than {MaxFiles} files or {MaxFolderBytes >> 30} GiB; point to a smaller one.");
            files.Add((file.FullName, Path.GetRelativePath(path, file.FullName).Replace('\\', '/')));
        }
        return [.. files.OrderBy(f => f.Name, StringComparer.Ordinal)];
    }

    private static string ReadText(string path) =>
        TryReadText(path) ?? throw new UserInputException($"{path} is not UTF-8 text (it holds bytes that no text has): convert it, or point to a text file.");

    private static string? TryReadText(string path)
    {
        var bytes = OwnFile.Bytes(path);
        if (bytes.AsSpan().Contains((byte)0))
            return null;
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}
