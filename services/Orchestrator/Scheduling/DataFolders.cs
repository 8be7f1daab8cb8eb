using Espalier.Contracts;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>
/// The folders that pipelines may read text from. Whatever lies elsewhere is refused before anybody looks whether it is there, so that
/// nobody learns which files the machine has.
/// </summary>
internal sealed class DataFolders(IEnumerable<string> folders)
{
    private const int MostLinks = 40;
    private readonly IReadOnlyList<string> _roots = [.. folders.Where(f => f.Length > 0).Select(f => Resolve(Path.GetFullPath(f)))];

    /// <summary>Refuses a path outside the folders, or below one of them in a hidden folder.</summary>
    /// <exception cref="UserInputException">It may not be read.</exception>
    public void Check(string path)
    {
        if (_roots.Any(root => IsBelow(Resolve(path), root)))
            return;
        throw new UserInputException(_roots.Count == 0
            ? $"{path} is not read: this platform reads no files of its own machine. An administrator names folders in orchestrator:data-folders"
            : $"{path} is not read: this platform reads text below {string.Join(", ", _roots)} only (orchestrator:data-folders), and nothing hidden");
    }

    private static bool IsBelow(string path, string root)
    {
        var relative = Path.GetRelativePath(root, path);
        return !Path.IsPathRooted(relative) && !relative.Split(Path.DirectorySeparatorChar).Any(s => s.StartsWith('.') && s != ".");
    }

    /// <summary>The path with every link followed; what does not exist stays as it is.</summary>
    private static string Resolve(string path)
    {
        var (resolved, links) = (Path.GetPathRoot(path)!, 0);
        var rest = new Stack<string>(SegmentsOf(path).Reverse());
        while (rest.TryPop(out var segment))
        {
            var next = Path.Combine(resolved, segment);
            if (LinkOf(next) is not { } target)
            {
                resolved = next;
                continue;
            }
            if (++links > MostLinks)
                throw new UserInputException($"{path} is not read: it leads through more than {MostLinks} links");
            var full = Path.GetFullPath(target, resolved);
            resolved = Path.GetPathRoot(full)!;
            foreach (var part in SegmentsOf(full).Reverse())
                rest.Push(part);
        }
        return resolved;
    }

    private static string[] SegmentsOf(string path) =>
        path[Path.GetPathRoot(path)!.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries);

    private static string? LinkOf(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
