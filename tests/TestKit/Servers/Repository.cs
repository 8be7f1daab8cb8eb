namespace Espalier.TestKit.Servers;

/// <summary>Files of this repository, found from where the tests run.</summary>
public static class Repository
{
    private static readonly DirectoryInfo Output = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));

    private static readonly string Root = FindRoot();

    /// <summary>A file of the sources.</summary>
    public static string PathOf(string relative) => Path.Combine(Root, relative);

    /// <summary>What a project was built to, in the configuration that the tests were built in.</summary>
    public static string Assembly(string project)
    {
        var path = Path.Combine(Root, project, "bin", Output.Parent!.Name, Output.Name, $"Espalier.{Path.GetFileName(project)}.dll");
        return File.Exists(path) ? path : throw new FileNotFoundException($"{project} is not built: {path} does not exist.");
    }

    private static string FindRoot()
    {
        for (var folder = Output; folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Platform.sln")))
                return folder.FullName;
        }
        throw new DirectoryNotFoundException($"No folder above {Output} holds Platform.sln.");
    }
}
