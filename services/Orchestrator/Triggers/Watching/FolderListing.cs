using Espalier.Pipelines.Expressions;

namespace Espalier.Orchestrator.Triggers.Watching;

/// <summary>Reads which files a folder and the folders below it hold. Hidden ones and links are passed over.</summary>
internal static class FolderListing
{
    /// <summary>Most files that a watched place may hold: of those left out nobody would ever hear.</summary>
    public const int MostFiles = 10_000;

    private const int MostNamed = 3;
    private static readonly EnumerationOptions Walk = new()
    {
        AttributesToSkip = FileAttributes.Hidden | FileAttributes.System | FileAttributes.ReparsePoint, IgnoreInaccessible = false,
    };

    /// <summary>Every file whose name fits. A folder below that may not be read keeps none of the others back, and is named.</summary>
    /// <exception cref="WatchException">The folder cannot be read, or holds too many.</exception>
    public static WatchListing List(string path, string pattern)
    {
        var root = new DirectoryInfo(path);
        var (files, closed) = (new List<WatchedFile>(), new List<string>());
        var folders = new Stack<DirectoryInfo>([root]);
        while (folders.TryPop(out var folder))
        {
            try
            {
                foreach (var entry in folder.EnumerateFileSystemInfos("*", Walk))
                {
                    if (entry is DirectoryInfo below)
                        folders.Push(below);
                    else if (Glob.IsMatch(pattern, entry.Name) && Read((FileInfo)entry) is { } file)
                        files.Add(file);
                    if (files.Count > MostFiles)
                        throw TooMany($"The folder {path}", pattern);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                if (folder == root)
                    throw new WatchException($"The folder {path} cannot be read: {ReasonOf(e)}", e);
                if (e is not DirectoryNotFoundException) // it was taken away meanwhile
                    closed.Add(folder.FullName);
            }
        }
        return new WatchListing(files, closed.Count == 0 ? "" : $"{Named(closed)} cannot be read by the orchestrator, and what is in there is not seen.");
    }

    /// <summary>More files than are looked at.</summary>
    public static WatchException TooMany(string place, string pattern) =>
        new($"{place} holds more than {MostFiles} files that match '{pattern}': move old ones away, or narrow the pattern. Until then none of them is new.");

    /// <summary>The file, or null when it was taken away meanwhile.</summary>
    private static WatchedFile? Read(FileInfo file)
    {
        try
        {
            return new WatchedFile
            {
                Path = file.FullName, Size = file.Length, Modified = new DateTimeOffset(file.LastWriteTimeUtc).ToUnixTimeMilliseconds(),
            };
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    private static string ReasonOf(Exception error) => error switch
    {
        DirectoryNotFoundException => "it does not exist. Make it, or remove the trigger.",
        UnauthorizedAccessException => "the orchestrator may not. Let its user read it.",
        _ => error.Message,
    };

    private static string Named(List<string> closed) =>
        string.Join(", ", closed.Order(StringComparer.Ordinal).Take(MostNamed)) + (closed.Count > MostNamed ? $" and {closed.Count - MostNamed} more" : "");
}
