using Espalier.Contracts;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>
/// Looks for the files beside the weights, in folders too. Links to folders are not followed, and neither are folders that hold a model of
/// their own, such as a trainer's <c>checkpoint-500</c>.
/// </summary>
internal sealed class SideFileSearch
{
    private readonly string _root;

    private SideFileSearch(string root) => _root = root;

    /// <summary>Paths within the directory of files that belong to the checkpoint.</summary>
    public List<string> Taken { get; } = [];

    /// <summary>Paths of what does not; a folder without anything that does ends in a slash.</summary>
    public List<string> Ignored { get; } = [];

    /// <summary>Goes through a directory.</summary>
    /// <exception cref="UserInputException">It holds too many files, or a folder that may not be read.</exception>
    public static SideFileSearch In(string root)
    {
        var search = new SideFileSearch(root);
        try
        {
            search.Visit("", depth: 0);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UserInputException($"{root}: cannot be read whole: {e.Message} Give the right to read it, or move that folder elsewhere.", e);
        }
        search.Taken.Sort(StringComparer.Ordinal);
        search.Ignored.Sort(StringComparer.Ordinal);
        return search;
    }

    private void Visit(string folder, int depth)
    {
        foreach (var name in Directory.EnumerateFiles(Path.Combine(_root, folder)).Select(file => Path.GetFileName(file)))
        {
            if (SideFiles.IsTaken(folder + name) && (depth == 0 || !name.StartsWith('.')))
                Taken.Add(folder + name);
            else if (depth == 0 && !name.EndsWith(".safetensors", StringComparison.Ordinal) && name != ShardIndex.FileName)
                Ignored.Add(name);
        }
        if (Taken.Count > SideFiles.MostFiles)
            throw new UserInputException(
                $"{_root}: more than {SideFiles.MostFiles} files beside the weights; is this a single model? Move what does not belong to it elsewhere.");
        foreach (var inner in Directory.EnumerateDirectories(Path.Combine(_root, folder)).Select(path => Path.GetFileName(path)))
        {
            if (inner.StartsWith('.'))
                continue; // caches of version control and of the hub
            var before = Taken.Count;
            if (depth < SideFiles.DeepestFolder && !IsLink(folder + inner) && !HoldsModel(folder + inner))
                Visit($"{folder}{inner}/", depth + 1);
            if (Taken.Count > before)
                continue;
            Ignored.RemoveAll(path => path.StartsWith($"{folder}{inner}/", StringComparison.Ordinal));
            Ignored.Add($"{folder}{inner}/");
        }
    }

    private bool IsLink(string folder) => new DirectoryInfo(Path.Combine(_root, folder)).LinkTarget is not null;

    private bool HoldsModel(string folder) => Directory.EnumerateFiles(Path.Combine(_root, folder)).Select(file => Path.GetFileName(file))
        .Any(name => SideFiles.IsWeights(name) || SideFiles.IsPickle(name));
}
