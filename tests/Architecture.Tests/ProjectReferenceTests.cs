using System.Xml.Linq;

namespace Espalier.Architecture.Tests;

/// <summary>The table of who may reference whom: the project files are read and compared with it.</summary>
public sealed class ProjectReferenceTests
{
    private static readonly string Root = Repository.Root;

    private static readonly Dictionary<string, string[]> AllowedShared = new()
    {
        ["Contracts"] = [],
        ["Kernels"] = [],
        // Beside the table of the design: one list of the boundaries at which tests stop a process. Contracts holds messages only,
        // and the artifact store, the workers and the orchestrator all reach such boundaries, so it is a leaf of its own.
        ["FaultInjection"] = [],
        ["Hosting"] = [],
        ["Database"] = ["Contracts"],
        ["Modeling"] = ["Kernels"],
        ["Artifacts"] = ["Contracts", "FaultInjection"],
        ["Pipelines"] = ["Contracts"],
        ["Messaging"] = ["Contracts"],
        ["Stages"] = ["Contracts", "FaultInjection", "Messaging", "Artifacts", "Modeling", "Pipelines", "Hosting"],
    };

    public static TheoryData<string> SharedProjects() => Names("shared");

    public static TheoryData<string> ServiceProjects() => Names("services");

    [Theory]
    [MemberData(nameof(SharedProjects))]
    public void References_SharedProject_StayWithinTheTable(string project)
    {
        AllowedShared.ShouldContainKey(project, "a new shared project needs a row in the table");

        ReferencesOf(FileOf("shared", project)).ShouldBeSubsetOf(AllowedShared[project]);
    }

    [Theory]
    [MemberData(nameof(ServiceProjects))]
    public void References_Service_NamesNoOtherService(string project)
    {
        var services = Repository.Projects("services").Select(Name).ToHashSet();

        var others = ReferencesOf(FileOf("services", project)).Where(services.Contains);

        if (project == "Cli")
            others.ShouldNotBeEmpty("the command line hosts the services");
        else
            others.ShouldBeEmpty("services learn about each other only through messages");
    }

    [Fact]
    public void Solution_ListsEveryProject()
    {
        var solution = File.ReadAllText(Path.Combine(Root, "Platform.sln")).Replace('\\', '/');

        var missing = new[] { "shared", "services", "tests", "pipelines" }.SelectMany(Repository.Projects)
            .Select(path => Path.GetRelativePath(Root, path))
            .Where(path => !solution.Contains(path, StringComparison.Ordinal));

        missing.ShouldBeEmpty();
    }

    [Fact]
    public void Packages_MassTransit_StaysOnTheFreeMajorVersion()
    {
        var versions = XDocument.Load(Path.Combine(Root, "Directory.Packages.props")).Descendants("PackageVersion")
            .Where(e => e.Attribute("Include")!.Value.StartsWith("MassTransit", StringComparison.Ordinal))
            .Select(e => e.Attribute("Version")!.Value).ToList();

        versions.ShouldNotBeEmpty();
        versions.ShouldAllBe(v => v.StartsWith("8.", StringComparison.Ordinal));
    }

    [Fact]
    public void TopLevel_HoldsWhatTheReadmeSays()
    {
        string[] expected = ["services", "shared", "tests", "pipelines", "infra", "docker", "Platform.sln", "README.md", "espalier", "global.json"];

        var visible = Directory.EnumerateFileSystemEntries(Root).Select(p => Path.GetFileName(p)!)
            .Where(n => n[0] != '.' && !n.EndsWith(".props", StringComparison.Ordinal) && !n.EndsWith(".targets", StringComparison.Ordinal));

        visible.Order(StringComparer.Ordinal).ShouldBe(expected.Order(StringComparer.Ordinal));
    }

    private static TheoryData<string> Names(string folder)
    {
        var data = new TheoryData<string>();
        foreach (var project in Repository.Projects(folder))
            data.Add(Name(project));
        return data;
    }

    private static string FileOf(string folder, string project) => Repository.Projects(folder).Single(p => Name(p) == project);

    private static string Name(string path) => Path.GetFileNameWithoutExtension(path);

    private static IEnumerable<string> ReferencesOf(string file) =>
        XDocument.Load(file).Descendants("ProjectReference").Select(e => Name(e.Attribute("Include")!.Value.Replace('\\', '/')));
}
