using System.Xml.Linq;

namespace Espalier.Architecture.Tests;

/// <summary>A project compiles the files of its own folder. What several need is a project that they reference.</summary>
public sealed class CompiledFilesTests
{
    public static TheoryData<string> BuildFiles() => [.. Repository.BuildFiles()];

    [Theory]
    [MemberData(nameof(BuildFiles))]
    public void Compile_EveryProject_StaysInItsFolder(string file)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Repository.Root, file))!;

        var foreign = XDocument.Load(Path.Combine(Repository.Root, file)).Descendants("Compile")
            .SelectMany(e => (e.Attribute("Include")?.Value ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            .Where(pattern => !IsBelow(folder, pattern));

        foreign.ShouldBeEmpty($"{file} compiles files of another project");
    }

    private static bool IsBelow(string folder, string pattern)
    {
        // A property in a path could lead anywhere, except those that name the project's own intermediate folder.
        if (pattern.Contains("$(", StringComparison.Ordinal))
            return pattern.StartsWith("$(IntermediateOutputPath)", StringComparison.Ordinal);
        var path = Path.GetFullPath(Path.Combine(folder, pattern.Replace('\\', '/')));
        return path.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);
    }
}
