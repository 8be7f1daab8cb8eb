using Espalier.Contracts;
using Espalier.Orchestrator.Scheduling;

namespace Espalier.Orchestrator.Tests;

public sealed class DataFoldersTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("data-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Check_PathsOutside_AreRefusedInTheSameWordsWhetherTheyExistOrNot()
    {
        var folders = new DataFolders([Sub("data")]);

        folders.Check(Path.Combine(Sub("data"), "deep", "a.txt"));
        var there = Refusal(folders, "/etc/passwd");
        var missing = Refusal(folders, "/etc/nothing-here");

        there.Replace("/etc/passwd", "X", StringComparison.Ordinal).ShouldBe(missing.Replace("/etc/nothing-here", "X", StringComparison.Ordinal));
        Refusal(folders, Sub("data") + "-beside/a.txt").ShouldContain("data-folders");
        Refusal(folders, Path.Combine(Sub("data"), ".ssh", "id")).ShouldContain("nothing hidden");
        Refusal(folders, "/dev/zero").ShouldContain("data-folders");
    }

    [Fact]
    public void Check_LinkThatLeadsOutside_IsRefused()
    {
        var data = Sub("data");
        File.CreateSymbolicLink(Path.Combine(data, "link.txt"), "/etc/passwd");
        Directory.CreateSymbolicLink(Path.Combine(data, "etc"), "/etc");
        Directory.CreateSymbolicLink(Path.Combine(_folder.FullName, "alias"), data);
        var folders = new DataFolders([Path.Combine(_folder.FullName, "alias")]);

        folders.Check(Path.Combine(_folder.FullName, "alias", "a.txt"));
        folders.Check(Path.Combine(data, "a.txt"));
        Refusal(folders, Path.Combine(data, "link.txt")).ShouldContain("data-folders");
        Refusal(folders, Path.Combine(data, "etc", "hostname")).ShouldContain("data-folders");
    }

    [Fact]
    public void Check_LinksInACircle_AreRefused()
    {
        var data = Sub("data");
        File.CreateSymbolicLink(Path.Combine(data, "a"), Path.Combine(data, "b"));
        File.CreateSymbolicLink(Path.Combine(data, "b"), Path.Combine(data, "a"));

        Refusal(new DataFolders([data]), Path.Combine(data, "a")).ShouldContain("links");
    }

    [Fact]
    public void Check_NoFolders_RefusesEverything() => Refusal(new DataFolders([]), "/tmp/a.txt").ShouldContain("orchestrator:data-folders");

    private static string Refusal(DataFolders folders, string path) => Should.Throw<UserInputException>(() => folders.Check(path)).Message;

    private string Sub(string name) => _folder.CreateSubdirectory(name).FullName;
}
