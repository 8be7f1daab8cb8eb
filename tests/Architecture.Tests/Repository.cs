namespace Espalier.Architecture.Tests;

/// <summary>Files of this repository, found from where the tests run.</summary>
internal static class Repository
{
    private static readonly string[] Sources = ["shared", "services", "tests", "pipelines"];
    private static readonly string[] NotSources = ["node_modules", "bin", "obj"];

    /// <summary>Full path of the top folder.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Full paths of all project files below a folder of the top level.</summary>
    public static IEnumerable<string> Projects(string folder) => Files(folder).Where(p => p.EndsWith(".csproj", StringComparison.Ordinal));

    /// <summary>Full paths of all C# files.</summary>
    public static IEnumerable<string> CSharpFiles() => Sources.SelectMany(Files).Where(p => Path.GetExtension(p) == ".cs");

    /// <summary>Projects and what they import, by path from the top.</summary>
    public static IEnumerable<string> BuildFiles() =>
        Directory.EnumerateFiles(Root).Concat(Sources.SelectMany(Files))
            .Where(p => Path.GetExtension(p) is ".csproj" or ".props" or ".targets")
            .Select(p => Path.GetRelativePath(Root, p));

    private static IEnumerable<string> Files(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), "*", SearchOption.AllDirectories)
            .Where(p => !Path.GetRelativePath(Root, p).Split(Path.DirectorySeparatorChar).Any(NotSources.Contains))
            .Order(StringComparer.Ordinal);

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Platform.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests must run from a build inside the repository.");
    }
}
