using System.Xml.Linq;

namespace Espalier.Architecture.Tests;

/// <summary>Walls between projects that the table of references does not show, read from the project files.</summary>
public sealed class ProjectReferenceTests
{
    private static readonly string Root = Repository.Root;

    private static readonly string[] TensorProjects = ["Kernels", "Modeling", "Surgery"];

    /// <summary>What runs without a tensor library; <c>Stages</c> is what keeps it out of the services.</summary>
    public static TheoryData<string, string> TensorFreeProjects() => new()
    {
        { "services", "Orchestrator" }, { "services", "Registry" }, { "shared", "Stages" }, { "shared", "Datasets" },
    };

    public static TheoryData<string> ServiceProjects() => Names("services");

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

    [Theory]
    [MemberData(nameof(TensorFreeProjects))]
    public void References_ProjectWithoutTensors_ReachNoTensorProject(string folder, string project)
    {
        var reached = new SortedSet<string>(StringComparer.Ordinal);
        Reach(FileOf(folder, project));

        reached.ShouldNotContain(name => TensorProjects.Contains(name), $"{project} reaches {string.Join(", ", reached)}");

        void Reach(string file)
        {
            foreach (var reference in ProjectFilesOf(file).Where(reference => reached.Add(Name(reference))))
                Reach(reference);
        }
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

    private static IEnumerable<string> ProjectFilesOf(string file) =>
        XDocument.Load(file).Descendants("ProjectReference")
            .Where(e => e.Attribute("ReferenceOutputAssembly")?.Value != "false")
            .Select(e => Path.GetFullPath(e.Attribute("Include")!.Value.Replace('\\', '/'), Path.GetDirectoryName(file)!));

    private static IEnumerable<string> ReferencesOf(string file) =>
        XDocument.Load(file).Descendants("ProjectReference").Select(e => Name(e.Attribute("Include")!.Value.Replace('\\', '/')));
}
